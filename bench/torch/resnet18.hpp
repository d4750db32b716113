// SPDX-License-Identifier: Apache-2.0
#pragma once

// ResNet-18 with random codes in all layers but the first.

#include "support/random_layer.hpp"

#include "engine/torch_resnet18.hpp"

namespace bench {

using engine::coded_resnet18;
using engine::dense_resnet18;

/// Random codes for every layer but the first; blocks of 3 x 3 layers have `block_size` elements, others 4.
inline void compress(coded_resnet18& net, std::size_t block_size, std::size_t codewords) {
  for (const auto& module : net.modules(false)) {
    auto* const layer = dynamic_cast<bitpq::torch::compressible*>(module.get());
    if (layer == nullptr || module == net.conv1.ptr()) continue;
    const bitpq::layer_geometry& g = layer->geometry();
    layer->set_codes(random_codes({g.rows(), g.cols(), g.window() > 1 ? block_size : 4, codewords}));
    const at::NoGradGuard no_grad;
    layer->codebook.mul_(0.02);
  }
}

}  // namespace bench
