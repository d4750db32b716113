# SPDX-License-Identifier: Apache-2.0
#
# Runs whole networks on the engine of the examples; a program of its own instead of Google Benchmark's.

include("${PROJECT_SOURCE_DIR}/examples/engine/engine.cmake")
find_package(ZLIB QUIET)
if(TARGET bitpq_engine_images AND TARGET bitpq::openmp AND TARGET ZLIB::ZLIB)
  set(runner "")
  set(libraries bitpq_engine_images bitpq::openmp ZLIB::ZLIB bitpq_warnings)
  set_source_files_properties("${entry}/main.cpp" PROPERTIES COMPILE_DEFINITIONS
                              "QUALITY_DATA=\"${BITPQ_EVALUATION_DATA}\";QUALITY_EXAMPLES=\"${PROJECT_SOURCE_DIR}/examples\"")
else()
  message(STATUS "bitpq: stb, zlib, bitpq::io or bitpq::openmp not found, so bench_quality is left out")
  set(sources "")
endif()
