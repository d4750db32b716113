// SPDX-License-Identifier: Apache-2.0

// The end of every hostile program: a little real use, so that templates are instantiated under the same conditions.

int main() {
  const float data[6] = {1, 2, 3, 4, 5, 6};
  const bitpq::matrix_view<const float> view(data, 2, 3);
  bitpq::require_finite(view, "data");
  return view(1, 2) == 6.0F && view.transposed()(2, 1) == 6.0F ? 0 : 1;
}
