# SPDX-License-Identifier: Apache-2.0
#
# Whole networks on the engine of the examples, against the same ones dense on oneDNN.

include("${PROJECT_SOURCE_DIR}/examples/engine/engine.cmake")
if(TARGET bitpq_engine_onednn)
  list(APPEND libraries bitpq_engine_onednn)
else()
  message(STATUS "bitpq: oneDNN, bitpq::io or bitpq::openmp not found, so bench_network is left out")
  set(sources "")
endif()
