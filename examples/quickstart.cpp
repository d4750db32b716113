// SPDX-License-Identifier: Apache-2.0

// Compresses one weight matrix and multiplies with it, without ever rebuilding it.

#include <bitpq/pq.hpp>

#include <cstdio>
#include <vector>

int main() {
  const std::size_t out = 512, in = 1024, samples = 2048, tokens = 64;
  const bitpq::random_stream random(1);
  std::vector<float> weights(out * in), inputs(in * samples), y(out * tokens), exact(out * tokens);
  for (std::size_t i = 0; i < weights.size(); ++i) weights[i] = static_cast<float>(random.normal(i));
  for (std::size_t i = 0; i < inputs.size(); ++i)  // inputs of very different importance
    inputs[i] = static_cast<float>(random.normal(weights.size() + i) / static_cast<double>(1 + i / samples % 4));

  // Learn what matters from sample inputs (one per column), then compress.
  const auto layer = bitpq::layer_geometry::linear(out, in);
  bitpq::gram_accumulator moments(layer);
  moments.add(bitpq::matrix_view<const float>(inputs.data(), in, samples));
  const bitpq::importance importance = moments.finish();
  const auto small = bitpq::compress<float>(layer, {weights.data(), out, in}, &importance);

  // Multiply with the codes: y = W x for 64 columns.
  const bitpq::matrix_view<const float> x(inputs.data(), in, tokens, samples);
  bitpq::gemm(small.weights, x, {y.data(), out, tokens});
  bitpq::dense_gemm<float>({weights.data(), out, in}, x, {exact.data(), out, tokens});

  double error = 0, energy = 0;
  for (std::size_t i = 0; i < y.size(); ++i) {
    error += (y[i] - exact[i]) * (y[i] - exact[i]);
    energy += exact[i] * exact[i];
  }
  std::printf("%zu bytes instead of %zu, relative output error %.3f (predicted %.3f)\n", small.report.size.bytes(),
              4 * weights.size(), error / energy, *small.report.output_error);
  return error < energy ? 0 : 1;
}
