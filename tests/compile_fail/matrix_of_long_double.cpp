// SPDX-License-Identifier: Apache-2.0
// There are no kernels for long double.
// expect: scalar

#include <bitpq/codec/pq_matrix.hpp>

#ifdef BITPQ_COMPILE_FAIL_FIXED
using weight = double;
#else
using weight = long double;
#endif

std::size_t use() { return bitpq::pq_matrix<weight>().rows(); }
