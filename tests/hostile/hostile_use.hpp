// SPDX-License-Identifier: Apache-2.0

// The end of every hostile program: real use, so that templates are instantiated under the same conditions. It runs
// the whole way, compress and multiply, and compares with the product of the decoded weights.

int main() {
  constexpr std::size_t rows = 12, cols = 16;
  float weights[rows * cols];
  for (std::size_t i = 0; i < rows * cols; ++i) weights[i] = static_cast<float>(i * 7 % 23) - 11.0F;
  float inputs[cols], outputs[rows], decoded[rows * cols];
  for (std::size_t i = 0; i < cols; ++i) inputs[i] = static_cast<float>(i % 5) - 2.0F;

  bitpq::pq_params params;
  params.metric = bitpq::pq_metric::weights;
  params.codewords = 8;
  const bitpq::matrix_view<const float> w(weights, rows, cols);
  const auto layer = bitpq::compress<float>(bitpq::layer_geometry::linear(rows, cols), w, nullptr, params);
  layer.weights.decode(bitpq::matrix_view<float>(decoded, rows, cols));
  bitpq::gemm(layer.weights, bitpq::matrix_view<const float>(inputs, cols, 1),
              bitpq::matrix_view<float>(outputs, rows, 1));

  for (std::size_t r = 0; r < rows; ++r) {
    float sum = 0.0F;
    for (std::size_t c = 0; c < cols; ++c) sum += decoded[r * cols + c] * inputs[c];
    if (!(sum - outputs[r] < 1e-3F && outputs[r] - sum < 1e-3F)) return 1;
  }
  return 0;
}
