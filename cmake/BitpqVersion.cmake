# SPDX-License-Identifier: Apache-2.0
#
# bitpq_read_version(<header> <out>): reads the version from include/bitpq/version.hpp, the only place it lives.

include_guard()

function(bitpq_read_version header out)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${header}")
  file(STRINGS "${header}" lines REGEX "^inline constexpr int version_(major|minor|patch) = [0-9]+;$")
  foreach(part IN ITEMS major minor patch)
    if(NOT "${lines}" MATCHES "version_${part} = ([0-9]+)")
      message(FATAL_ERROR "bitpq: no version_${part} in ${header}")
    endif()
    set(${part} "${CMAKE_MATCH_1}")
  endforeach()
  set(${out} "${major}.${minor}.${patch}" PARENT_SCOPE)
endfunction()
