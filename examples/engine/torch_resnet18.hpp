// SPDX-License-Identifier: Apache-2.0
#pragma once

// ResNet-18 (He et al. 2016) as a module of LibTorch, under torchvision's names. Its layers are LibTorch's, or bitpq's
// in their place.

#include <bitpq/interop/torch/conv2d.hpp>
#include <bitpq/interop/torch/linear.hpp>

#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/linear.h>

namespace engine {

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
    downsample = register_module(
        "downsample", torch::nn::Sequential(Conv(convolution(in, out, 1, stride)), torch::nn::BatchNorm2d(out)));
  }
  at::Tensor forward(const at::Tensor& x) {
    const at::Tensor y = bn2(conv2(bn1(conv1(x)).relu_()));
    return (y + (downsample ? downsample->forward(x) : x)).relu_();
  }
  Conv conv1;
  torch::nn::BatchNorm2d bn1;
  Conv conv2;
  torch::nn::BatchNorm2d bn2;
  torch::nn::Sequential downsample{nullptr};
};

template <class Conv, class Linear>
struct resnet18 : torch::nn::Module {
  /// `width`: channels of the first stage; tests take fewer.
  explicit resnet18(std::int64_t classes = 1000, std::int64_t width = 64)
      : conv1(register_module("conv1", Conv(convolution(3, width, 7, 2)))),
        bn1(register_module("bn1", torch::nn::BatchNorm2d(width))) {
    std::int64_t in = width;
    for (const std::int64_t stage : {1, 2, 3, 4}) {
      const std::int64_t out = width << (stage - 1), stride = stage == 1 ? 1 : 2;
      stages.push_back(register_module("layer" + std::to_string(stage),
                                       torch::nn::Sequential(std::make_shared<residual_block<Conv>>(in, out, stride),
                                                             std::make_shared<residual_block<Conv>>(out, out, 1))));
      in = out;
    }
    fc = register_module("fc", Linear(in, classes));
  }
  at::Tensor forward(const at::Tensor& x) {
    at::Tensor y = at::max_pool2d(bn1(conv1(x)).relu_(), 3, 2, 1);
    for (torch::nn::Sequential& stage : stages) y = stage->forward(y);
    return fc(y.mean({2, 3}));
  }
  Conv conv1;
  torch::nn::BatchNorm2d bn1;
  std::vector<torch::nn::Sequential> stages;
  Linear fc{nullptr};
};

using dense_resnet18 = resnet18<torch::nn::Conv2d, torch::nn::Linear>;
using coded_resnet18 = resnet18<bitpq::torch::conv2d, bitpq::torch::linear>;

}  // namespace engine
