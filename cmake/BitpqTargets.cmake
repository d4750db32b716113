# SPDX-License-Identifier: Apache-2.0
#
# The library's targets. bitpq::bitpq is every header that needs no optional dependency; each optional part is a
# target of its own, so that header verification and consumers without the dependency both work. Headers are found
# by folder: a new header needs no edit here.

include_guard()

# bitpq_interface_target(<target> <export name> HEADERS ... LIBRARIES ...)
function(bitpq_interface_target target name)
  cmake_parse_arguments(PARSE_ARGV 2 arg "" "" "HEADERS;LIBRARIES")
  add_library(${target} INTERFACE)
  add_library(bitpq::${name} ALIAS ${target})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${name})
  target_compile_features(${target} INTERFACE cxx_std_20)
  target_link_libraries(${target} INTERFACE ${arg_LIBRARIES})
  target_sources(
    ${target} INTERFACE FILE_SET HEADERS BASE_DIRS "${PROJECT_SOURCE_DIR}/include" FILES ${arg_HEADERS})
endfunction()

# bitpq_part(<part> LIBRARIES ... HEADERS ...): an optional target, made when its libraries and headers are there.
function(bitpq_part part)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "HEADERS;LIBRARIES")
  string(TOUPPER "${part}" option)
  if(NOT BITPQ_WITH_${option} OR NOT arg_HEADERS)
    return()
  endif()
  foreach(library IN LISTS arg_LIBRARIES)
    if(NOT TARGET ${library})
      return()
    endif()
  endforeach()
  bitpq_interface_target(bitpq_${part} ${part} HEADERS ${arg_HEADERS} LIBRARIES bitpq::bitpq ${arg_LIBRARIES})
  set_property(GLOBAL APPEND PROPERTY BITPQ_PARTS ${part})
endfunction()

file(GLOB_RECURSE bitpq_headers CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/include/bitpq/*.hpp")
list(FILTER bitpq_headers EXCLUDE REGEX "/include/bitpq/(io|interop)/")
bitpq_interface_target(bitpq bitpq HEADERS ${bitpq_headers} LIBRARIES Eigen3::Eigen xsimd)

# The leaf that keeps checkpoints of training as files stands above both train/ and io/ and needs no more than io does.
file(GLOB_RECURSE bitpq_io_headers CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/include/bitpq/io/*.hpp"
     "${PROJECT_SOURCE_DIR}/include/bitpq/interop/checkpoint_file.hpp")
bitpq_part(io HEADERS ${bitpq_io_headers} LIBRARIES nlohmann_json::nlohmann_json)

file(GLOB bitpq_openmp_headers CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/include/bitpq/interop/openmp.hpp")
bitpq_part(openmp HEADERS ${bitpq_openmp_headers} LIBRARIES OpenMP::OpenMP_CXX)

file(GLOB bitpq_tbb_headers CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/include/bitpq/interop/tbb.hpp")
bitpq_part(tbb HEADERS ${bitpq_tbb_headers} LIBRARIES TBB::tbb)

# OpenMP: LibTorch's own parallel loops, which are templates, run in parallel only where it is on.
file(GLOB bitpq_torch_headers CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/include/bitpq/interop/torch.hpp"
     "${PROJECT_SOURCE_DIR}/include/bitpq/interop/torch/*.hpp")
bitpq_part(torch HEADERS ${bitpq_torch_headers} LIBRARIES bitpq::io torch OpenMP::OpenMP_CXX)
