# SPDX-License-Identifier: Apache-2.0

include("${PROJECT_SOURCE_DIR}/examples/engine/engine.cmake")
set(threads 2)
if(TARGET bitpq::torch AND TARGET bitpq_engine)
  list(APPEND libraries bitpq::torch bitpq_engine)
else()
  set(sources "")
endif()
