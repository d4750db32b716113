# SPDX-License-Identifier: Apache-2.0
#
# Writes translation units that include every public header, for the tests that need "all of them".

include_guard()

# bitpq_public_headers(<out> <folder to leave out>...): names as in <bitpq/...>, sorted, without those whose optional
# target does not exist here.
function(bitpq_public_headers out)
  set(excluded ${ARGN})
  if(NOT TARGET bitpq::io)
    list(APPEND excluded io)
  endif()
  file(GLOB_RECURSE headers RELATIVE "${PROJECT_SOURCE_DIR}/include" CONFIGURE_DEPENDS
       "${PROJECT_SOURCE_DIR}/include/bitpq/*.hpp")
  list(FILTER headers EXCLUDE REGEX "^bitpq/interop/")
  foreach(folder IN LISTS excluded)
    list(FILTER headers EXCLUDE REGEX "^bitpq/${folder}/")
  endforeach()
  if(NOT io IN_LIST excluded)
    list(APPEND headers "bitpq/interop/checkpoint_file.hpp")
  endif()
  get_property(parts GLOBAL PROPERTY BITPQ_PARTS)
  list(REMOVE_ITEM parts torch) # LibTorch's headers take half a minute; its own tests include them more than once
  foreach(part IN LISTS parts)
    if(NOT part IN_LIST excluded AND EXISTS "${PROJECT_SOURCE_DIR}/include/bitpq/interop/${part}.hpp")
      list(APPEND headers "bitpq/interop/${part}.hpp")
    endif()
  endforeach()
  set(${out} ${headers} PARENT_SCOPE)
endfunction()

# bitpq_include_lines(<out> <header>...)
function(bitpq_include_lines out)
  list(TRANSFORM ARGN REPLACE "(.+)" "#include <\\1>")
  list(JOIN ARGN "\n" text)
  set(${out} "${text}" PARENT_SCOPE)
endfunction()

# bitpq_foreign_headers(<out> <bitpq header>...): the standard and third-party headers that these include, less the
# intrinsics of processors other than the target.
function(bitpq_foreign_headers out)
  set(found "")
  set(absent "arm_neon.h")
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64|ARM64)$")
    set(absent "immintrin.h")
  endif()
  foreach(header IN LISTS ARGN)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/include/${header}")
    file(STRINGS "${PROJECT_SOURCE_DIR}/include/${header}" lines REGEX "^ *# *include *<")
    foreach(line IN LISTS lines)
      string(REGEX REPLACE "^ *# *include *<([^>]+)>.*" "\\1" name "${line}")
      if(NOT name MATCHES "^bitpq/" AND NOT name STREQUAL absent)
        list(APPEND found "${name}")
      endif()
    endforeach()
  endforeach()
  list(REMOVE_DUPLICATES found)
  list(SORT found)
  set(${out} ${found} PARENT_SCOPE)
endfunction()

# bitpq_link_all(<target>): the library's targets that exist here, and the tests' warnings.
function(bitpq_link_all target)
  get_property(parts GLOBAL PROPERTY BITPQ_PARTS)
  list(REMOVE_ITEM parts torch)
  list(TRANSFORM parts PREPEND "bitpq::")
  target_link_libraries(${target} PRIVATE bitpq::bitpq ${parts} bitpq_warnings)
endfunction()
