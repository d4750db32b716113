// SPDX-License-Identifier: Apache-2.0
// The output of a product must be writable.
// expect: gemm

#include <bitpq/gemm/gemm.hpp>

#ifdef BITPQ_COMPILE_FAIL_FIXED
using output = float;
#else
using output = const float;
#endif

void use(const bitpq::prepacked_matrix<float>& w, bitpq::matrix_view<const float> x, bitpq::matrix_view<output> y) {
  bitpq::gemm(w, x, y);
}
