// SPDX-License-Identifier: Apache-2.0
#pragma once

// Networks with random weights, and random inputs for them.

#include "engine/network.hpp"
#include "support/random_data.hpp"
#include "support/reference.hpp"

namespace engine_test {

inline engine::tensor random_tensor(std::size_t n, std::size_t c, std::size_t h, std::size_t w, std::uint64_t seed) {
  engine::tensor x(n, c, h, w);
  const std::vector<float> values = bitpq_test::random_values<float>(n * c * h * w, seed);
  std::copy(values.begin(), values.end(), x.data());
  return x;
}

inline std::vector<double> values_of(const engine::tensor& x) {
  const std::size_t size = x.batch() * x.channels() * x.size().h * x.size().w;
  return {x.data(), x.data() + size};
}

/// Each layer with weights that keep the size of what passes.
inline engine::network random_network(engine::graph structure, std::uint64_t seed) {
  engine::network net(std::move(structure));
  for (const engine::node& step : net.structure().nodes) {
    if (step.type != engine::node::kind::layer) continue;
    const bitpq::layer_geometry& g = step.geometry;
    std::vector<float> weights = bitpq_test::random_values<float>(g.rows() * g.cols(), ++seed);
    for (float& w : weights) w *= std::sqrt(6.0F / static_cast<float>(g.cols()));
    net.set(step.name, engine::layer(g, std::move(weights), bitpq_test::random_values<float>(g.rows(), ++seed)));
  }
  return net;
}

/// What a dense layer of a network makes of x (n x channels x size), by the plainest means.
inline std::vector<double> layer_by_hand(const engine::layer& layer, const std::vector<double>& x, std::size_t n,
                                         bitpq::extent2 size, bool relu, const std::vector<double>& residual = {}) {
  const bitpq::matrix_view<const float> w = layer.dense_weights();
  const std::vector<double> weights(w.data_handle(), w.data_handle() + w.size());
  std::vector<double> y = bitpq_test::reference_convolution(layer.geometry(), weights, x, n, size);
  const bitpq::extent2 out = layer.geometry().output_size(size);
  // The bias of an output covers its maps; images come one after the other.
  const std::size_t image = layer.geometry().out_channels * out.h * out.w;
  for (std::size_t i = 0; i < n; ++i) {
    std::vector<double> one(y.begin() + static_cast<std::ptrdiff_t>(i * image),
                            y.begin() + static_cast<std::ptrdiff_t>((i + 1) * image));
    std::vector<double> added;
    if (!residual.empty())
      added.assign(residual.begin() + static_cast<std::ptrdiff_t>(i * image),
                   residual.begin() + static_cast<std::ptrdiff_t>((i + 1) * image));
    bitpq_test::reference_epilogue(one, bitpq_test::as_double(layer.bias()), out.h * out.w, added, relu);
    std::copy(one.begin(), one.end(), y.begin() + static_cast<std::ptrdiff_t>(i * image));
  }
  return y;
}

}  // namespace engine_test
