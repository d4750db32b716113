// SPDX-License-Identifier: Apache-2.0
#pragma once

// ResNet-18 (He et al. 2016) with layers of LibTorch or of bitpq; all but the first convolution can be compressed.

#include "support/random_layer.hpp"

#include <bitpq/interop/torch/conv2d.hpp>
#include <bitpq/interop/torch/linear.hpp>

#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/linear.h>

namespace bench {

inline torch::nn::Conv2dOptions convolution(std::int64_t in, std::int64_t out, std::int64_t kernel,
                                            std::int64_t stride) {
  return torch::nn::Conv2dOptions(in, out, kernel).stride(stride).padding(kernel / 2).bias(false);
}

template <class Conv>
struct residual_block : torch::nn::Module {
  residual_block(std::int64_t in, std::int64_t out, std::int64_t stride)
      : conv1(register_module("conv1", Conv(convolution(in, out, 3, stride)))),
        bn1(register_module("bn1", torch::nn::BatchNorm2d(out))),
        conv2(register_module("conv2", Conv(convolution(out, out, 3, 1)))),
        bn2(register_module("bn2", torch::nn::BatchNorm2d(out))) {
    if (stride == 1 && in == out) return;
    down = register_module("down", Conv(convolution(in, out, 1, stride)));
    norm = register_module("norm", torch::nn::BatchNorm2d(out));
  }
  at::Tensor forward(const at::Tensor& x) {
    const at::Tensor y = bn2(conv2(bn1(conv1(x)).relu_()));
    return (y + (down ? norm(down(x)) : x)).relu_();
  }
  Conv conv1;
  torch::nn::BatchNorm2d bn1;
  Conv conv2;
  torch::nn::BatchNorm2d bn2;
  Conv down{nullptr};
  torch::nn::BatchNorm2d norm{nullptr};
};

template <class Conv, class Linear>
struct resnet18 : torch::nn::Module {
  resnet18() {
    register_module("stem", stem);
    register_module("norm", norm);
    std::int64_t in = 64;
    for (const std::int64_t out : {64, 128, 256, 512})
      for (const bool first : {true, false}) {
        blocks.push_back(register_module("block" + std::to_string(blocks.size()),
                                         std::make_shared<residual_block<Conv>>(in, out, first && out > 64 ? 2 : 1)));
        in = out;
      }
    register_module("head", head);
  }
  at::Tensor forward(const at::Tensor& x) {
    at::Tensor y = at::max_pool2d(norm(stem(x)).relu_(), 3, 2, 1);
    for (const auto& block : blocks) y = block->forward(y);
    return head(y.mean({2, 3}));
  }
  torch::nn::Conv2d stem{convolution(3, 64, 7, 2)};
  torch::nn::BatchNorm2d norm{64};
  std::vector<std::shared_ptr<residual_block<Conv>>> blocks;
  Linear head{512, 1000};
};

using dense_resnet18 = resnet18<torch::nn::Conv2d, torch::nn::Linear>;
using coded_resnet18 = resnet18<bitpq::torch::conv2d, bitpq::torch::linear>;

/// Random codes for every layer; blocks of 3 x 3 layers have `block_size` elements, others 4.
inline void compress(coded_resnet18& net, std::size_t block_size, std::size_t codewords) {
  for (const auto& module : net.modules(false)) {
    auto* const layer = dynamic_cast<bitpq::torch::compressible*>(module.get());
    if (layer == nullptr) continue;
    const bitpq::layer_geometry& g = layer->geometry();
    layer->set_codes(random_codes({g.rows(), g.cols(), g.window() > 1 ? block_size : 4, codewords}));
    const at::NoGradGuard no_grad;
    layer->codebook.mul_(0.02);
  }
}

}  // namespace bench
