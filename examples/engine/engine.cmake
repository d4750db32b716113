# SPDX-License-Identifier: Apache-2.0
#
# The host engine for whoever runs networks on it (examples, their tests, bench/quality):
#   bitpq_engine               headers; needs bitpq::io
#   bitpq_engine_images        reads photographs; needs stb's headers (BITPQ_WITH_STB)
#   bitpq_engine_onednn        runs the same networks dense on oneDNN; where that is installed, and bitpq::openmp
#   bitpq_engine_distillation  tunes what is compressed; needs bitpq::torch

if(TARGET bitpq_engine OR NOT TARGET bitpq::io)
  return()
endif()

add_library(bitpq_engine INTERFACE)
target_include_directories(bitpq_engine INTERFACE "${PROJECT_SOURCE_DIR}/examples")
target_link_libraries(bitpq_engine INTERFACE bitpq::bitpq bitpq::io)

if(TARGET bitpq::torch)
  add_library(bitpq_engine_distillation STATIC "${CMAKE_CURRENT_LIST_DIR}/distillation.cpp")
  target_compile_definitions(bitpq_engine_distillation INTERFACE ENGINE_HAS_DISTILLATION)
  target_link_libraries(bitpq_engine_distillation PUBLIC bitpq_engine PRIVATE bitpq::torch bitpq_warnings)
  bitpq_add_dispatch(bitpq_engine_distillation)
endif()

find_path(BITPQ_ONEDNN_INCLUDE oneapi/dnnl/dnnl.hpp)
find_library(BITPQ_ONEDNN_LIBRARY dnnl)
mark_as_advanced(BITPQ_ONEDNN_INCLUDE BITPQ_ONEDNN_LIBRARY)
if(BITPQ_ONEDNN_INCLUDE AND BITPQ_ONEDNN_LIBRARY AND TARGET bitpq::openmp)
  add_library(bitpq_engine_onednn STATIC "${CMAKE_CURRENT_LIST_DIR}/onednn_network.cpp")
  set_target_properties(bitpq_engine_onednn PROPERTIES UNITY_BUILD OFF) # included, its unnamed namespace is warned of
  target_include_directories(bitpq_engine_onednn SYSTEM PRIVATE "${BITPQ_ONEDNN_INCLUDE}")
  target_link_libraries(bitpq_engine_onednn PUBLIC bitpq_engine bitpq::openmp "${BITPQ_ONEDNN_LIBRARY}"
                                            PRIVATE bitpq_warnings)
  bitpq_add_dispatch(bitpq_engine_onednn)
else()
  message(STATUS "bitpq: oneDNN not found, so networks are not compared with dense ones on it")
endif()

if(NOT BITPQ_WITH_STB)
  return()
endif()
find_path(BITPQ_STB_INCLUDE stb_image.h PATH_SUFFIXES stb)
mark_as_advanced(BITPQ_STB_INCLUDE)
if(NOT BITPQ_STB_INCLUDE)
  if(BITPQ_WITH_STB STREQUAL "REQUIRED")
    message(FATAL_ERROR "bitpq: BITPQ_WITH_STB is REQUIRED, but stb_image.h was not found")
  endif()
  message(STATUS "bitpq: stb_image.h not found, so the examples read no images")
  return()
endif()

add_library(bitpq_engine_images STATIC "${CMAKE_CURRENT_LIST_DIR}/image.cpp" "${CMAKE_CURRENT_LIST_DIR}/stb.cpp")
target_include_directories(bitpq_engine_images SYSTEM PRIVATE "${BITPQ_STB_INCLUDE}")
target_link_libraries(bitpq_engine_images PUBLIC bitpq_engine PRIVATE bitpq_warnings)
set_source_files_properties("${CMAKE_CURRENT_LIST_DIR}/stb.cpp" TARGET_DIRECTORY bitpq_engine_images
                            PROPERTIES COMPILE_OPTIONS "-w")
