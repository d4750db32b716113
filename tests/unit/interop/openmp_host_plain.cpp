// SPDX-License-Identifier: Apache-2.0

// tests/CMakeLists.txt compiles this file without OpenMP.
#if defined(_OPENMP)
#error "this translation unit is to be compiled without OpenMP"
#endif

#define HOST_NAME(x) x##_of_plain_host
#define BITPQ_TEST_HOST run_without_openmp
#include "openmp_host.ipp"
