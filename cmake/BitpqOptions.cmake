# SPDX-License-Identifier: Apache-2.0
#
# Every switch of the build in one place. What is not the library itself defaults to "only when top level".

include_guard()

option(BITPQ_BUILD_TESTS "Build the tests" ${PROJECT_IS_TOP_LEVEL})
option(BITPQ_BUILD_BENCH "Build the benchmarks" ${PROJECT_IS_TOP_LEVEL})
option(BITPQ_BUILD_EXAMPLES "Build the examples" ${PROJECT_IS_TOP_LEVEL})
option(BITPQ_BUILD_DOCS "Build the documentation" ${PROJECT_IS_TOP_LEVEL})
set(BITPQ_EVALUATION_DATA "${PROJECT_SOURCE_DIR}/../shared/data" CACHE PATH
    "Networks and images for evaluation, which are no part of the repository; tests that need them skip without")
option(BITPQ_INSTALL "Generate the install rules" ${PROJECT_IS_TOP_LEVEL})
option(BITPQ_WARNINGS_AS_ERRORS "Warnings in bitpq's own tests, benchmarks and examples are errors" OFF)

# An optional part is ON (there when its package is there), OFF, or REQUIRED (a missing package is an error).
function(bitpq_part_option name default text)
  set(BITPQ_WITH_${name} "${default}" CACHE STRING "${text}: ON, OFF or REQUIRED")
  set_property(CACHE BITPQ_WITH_${name} PROPERTY STRINGS ON OFF REQUIRED)
endfunction()

bitpq_part_option(IO ON "bitpq::io, the safetensors container")
bitpq_part_option(OPENMP ON "bitpq::openmp, the OpenMP executor")
bitpq_part_option(TBB OFF "bitpq::tbb, the oneTBB executor")
bitpq_part_option(TORCH OFF "bitpq::torch, layers for LibTorch")
bitpq_part_option(STB ON "images in the examples and their benchmark, by stb; no part of the library")
