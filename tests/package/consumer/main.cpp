// SPDX-License-Identifier: Apache-2.0

// A host program: takes the library through its front door, compresses a matrix and multiplies with it.

#include <bitpq/pq.hpp>

#include <cmath>
#include <cstdio>
#include <vector>

int main() {
  const std::size_t rows = 12, cols = 16;
  std::vector<float> weights(rows * cols), inputs(cols), outputs(rows), decoded(rows * cols);
  for (std::size_t i = 0; i < weights.size(); ++i) weights[i] = static_cast<float>(i * 7 % 23) - 11.0F;
  for (std::size_t i = 0; i < cols; ++i) inputs[i] = static_cast<float>(i % 5) - 2.0F;

  bitpq::pq_params params;
  params.metric = bitpq::pq_metric::weights;
  params.codewords = 8;
  const bitpq::matrix_view<const float> w(weights.data(), rows, cols);
  const auto layer = bitpq::compress<float>(bitpq::layer_geometry::linear(rows, cols), w, nullptr, params);
  layer.weights.decode(bitpq::matrix_view<float>(decoded.data(), rows, cols));
  bitpq::gemm(layer.weights, bitpq::matrix_view<const float>(inputs.data(), cols, 1),
              bitpq::matrix_view<float>(outputs.data(), rows, 1));

  double worst = 0;
  for (std::size_t r = 0; r < rows; ++r) {
    double sum = 0;
    for (std::size_t c = 0; c < cols; ++c)
      sum += static_cast<double>(decoded[r * cols + c]) * static_cast<double>(inputs[c]);
    worst = std::fmax(worst, std::fabs(sum - static_cast<double>(outputs[r])));
  }
  std::printf("bitpq %d: %zu bytes for %zu, largest difference %g\n", bitpq::version_number, layer.report.size.bytes(),
              weights.size() * sizeof(float), worst);
  return worst < 1e-3 ? 0 : 1;
}
