// SPDX-License-Identifier: Apache-2.0
// A view of const elements never becomes one through which they could be written.
// expect: matrix_view

#include <bitpq/core/matrix_view.hpp>

float write_first(bitpq::matrix_view<float> view) { return view(0, 0) = 1.0F; }

float use(const float* data) {
#ifdef BITPQ_COMPILE_FAIL_FIXED
  const bitpq::matrix_view<const float> view(data, 2, 3);
  return view(0, 0);
#else
  const bitpq::matrix_view<const float> view(data, 2, 3);
  return write_first(view);
#endif
}
