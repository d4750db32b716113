// SPDX-License-Identifier: Apache-2.0
#pragma once

// A student as a file holds it.

#include "engine/student.hpp"

#include <bitpq/io/model.hpp>

namespace engine {

/// Codes of the layers that have them, all other weights and all biases in half precision; batch norms are folded in.
inline bitpq::compressed_model<float> model_of(student& from) {
  bitpq::compressed_model<float> model;
  const network& net = from.net();
  std::size_t next = 0;
  const std::vector<bitpq::network_layer> layers = from.layers();
  for (const node& step : net.structure().nodes) {
    if (step.type != node::kind::layer) continue;
    const bitpq::layer_geometry& g = step.geometry;
    const bool listed = next < layers.size() && layers[next].name == step.name;
    const std::size_t i = listed ? next++ : layers.size();
    model.add_tensor(step.name + ".bias", {g.out_channels}, net.at(step.name).bias(), bitpq::dtype::f16);
    if (listed && from.codes(i)) {
      model.add_layer(step.name + ".weight", g, *from.codes(i));
      continue;
    }
    const bitpq::matrix_view<const float> dense = net.at(step.name).dense_weights();
    std::vector<std::size_t> shape{g.rows(), g.cols()};
    if (g.type == bitpq::layer_geometry::kind::conv2d) shape = {g.rows(), g.in_per_group(), g.kernel.h, g.kernel.w};
    model.add_tensor(step.name + ".weight", shape, {dense.data_handle(), dense.size()}, bitpq::dtype::f16);
  }
  return model;
}

}  // namespace engine
