// SPDX-License-Identifier: Apache-2.0
#pragma once

// A network to compress, and its images.

#include "engine/architectures.hpp"
#include "engine/student.hpp"
#include "engine_data.hpp"

namespace engine_test {

inline constexpr std::size_t image_count = 7;

/// A small residual network with everything that a larger one has.
inline engine::network small_resnet() {
  engine::resnet_shape shape;
  shape.input_channels = 2;
  shape.classes = 4;
  shape.stem_width = 6;
  shape.widths = {6, 8};
  shape.blocks = {1, 1};
  return random_network(engine::residual_network(shape), 5);
}

inline engine::tensor images(std::size_t first, std::size_t n) {
  const engine::tensor all = random_tensor(image_count, 2, 16, 16, 99);
  engine::tensor x(n, 2, 16, 16);
  std::copy_n(all.data() + first * 512, n * 512, x.data());
  return x;
}

inline const engine::image_source source{image_count, images};
inline const engine::layer_choice all_but_stem = [](const engine::node& step) { return step.name != "conv1"; };

/// Few codewords, soon found.
inline bitpq::network_params quick_params() {
  bitpq::network_params params;
  params.layer = [](std::size_t, const bitpq::network_layer& layer) {
    bitpq::pq_params one;
    one.block_size = layer.geometry.window() > 1 ? 9 : 2;
    one.codewords = 8;
    one.max_iterations = 3;
    return one;
  };
  return params;
}

}  // namespace engine_test
