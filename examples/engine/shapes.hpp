// SPDX-License-Identifier: Apache-2.0
#pragma once

// What each step of a network makes, by its shape alone.

#include "engine/pooling.hpp"

namespace engine {

/// The shape of what a step makes of tensors whose shapes are shape(number). Throws bad_shape where they do not fit.
template <class Shapes>
tensor_shape output_shape(const node& step, const Shapes& shape) {
  const tensor_shape x = shape(step.inputs[0]);
  switch (step.type) {
    case node::kind::layer: {
      bitpq::require(x.c == step.geometry.in_channels, bitpq::errc::bad_shape, "layer ", step.name, " takes ",
                     step.geometry.in_channels, " maps, not ", x.c);
      const bitpq::extent2 out = step.geometry.output_size({x.h, x.w});
      return {x.n, step.geometry.out_channels, out.h, out.w};
    }
    case node::kind::max_pool: return pooled_shape(x, step.window);
    case node::kind::global_average_pool: return {x.n, x.c, 1, 1};
    case node::kind::concat: return concat_shape(x, shape(step.inputs[1]));
  }
  return {};
}

}  // namespace engine
