// SPDX-License-Identifier: Apache-2.0
// Weights of float do not multiply activations of double: a conversion of that size must be asked for.
// expect: gemm

#include <bitpq/gemm/gemm.hpp>

#ifdef BITPQ_COMPILE_FAIL_FIXED
using activation = float;
#else
using activation = double;
#endif

void use(const bitpq::prepacked_matrix<float>& w, bitpq::matrix_view<const activation> x, bitpq::matrix_view<float> y) {
  bitpq::gemm(w, x, y);
}
