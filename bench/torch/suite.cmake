# SPDX-License-Identifier: Apache-2.0

set(threads 2)
if(TARGET bitpq::torch)
  list(APPEND libraries bitpq::torch)
else()
  set(sources "")
endif()
