// SPDX-License-Identifier: Apache-2.0

#if !defined(_OPENMP)
#error "this translation unit is to be compiled with OpenMP"
#endif

#define HOST_NAME(x) x##_of_parallel_host
#define BITPQ_TEST_HOST run_with_openmp
#include "openmp_host.ipp"
