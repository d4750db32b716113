# SPDX-License-Identifier: Apache-2.0
#
# xsimd's packages differ: some call the target `xsimd`, some `xsimd::xsimd`, and Debian's names a link dependency
# `xtl` that its package neither finds nor needs (it would become -lxtl and fail at link time). bitpq links `xsimd`
# under one name; this settles the difference, in bitpq's own build and in that of a consumer of the installed package.

include_guard()

function(bitpq_settle_xsimd)
  if(NOT TARGET xsimd AND TARGET xsimd::xsimd)
    add_library(xsimd INTERFACE IMPORTED GLOBAL)
    target_link_libraries(xsimd INTERFACE xsimd::xsimd)
  endif()
  get_target_property(imported xsimd IMPORTED)
  if(NOT imported)
    return()
  endif()
  get_target_property(libraries xsimd INTERFACE_LINK_LIBRARIES)
  if(libraries AND "xtl" IN_LIST libraries AND NOT TARGET xtl)
    list(REMOVE_ITEM libraries xtl)
    set_target_properties(xsimd PROPERTIES INTERFACE_LINK_LIBRARIES "${libraries}")
  endif()
endfunction()
