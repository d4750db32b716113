// SPDX-License-Identifier: Apache-2.0
#pragma once

// The demo's teacher: a small residual network for 28 x 28 grey images. Parameter names follow the usual
// residual network naming (conv1, bn1, layer2.0.downsample.1, fc), so that the demo can find the layers by
// name.

#include <cstdint>

#include <torch/torch.h>

namespace fashion_mnist {

/// Bias-free k x k convolution that keeps the size at stride 1 (batch norm always follows, so a bias is
/// void).
inline torch::nn::Conv2d convolution(std::int64_t in, std::int64_t out, std::int64_t kernel, std::int64_t stride) {
  return torch::nn::Conv2d(torch::nn::Conv2dOptions(in, out, kernel).stride(stride).padding(kernel / 2).bias(false));
}

/// Two 3 x 3 convolutions with a shortcut; the shortcut is a 1 x 1 convolution where the shape changes.
class basic_block_impl : public torch::nn::Module {
 public:
  basic_block_impl(std::int64_t in, std::int64_t out, std::int64_t stride)
      : conv1_(register_module("conv1", convolution(in, out, 3, stride))),
        bn1_(register_module("bn1", torch::nn::BatchNorm2d(out))),
        conv2_(register_module("conv2", convolution(out, out, 3, 1))),
        bn2_(register_module("bn2", torch::nn::BatchNorm2d(out))) {
    if (stride != 1 || in != out) {
      downsample_ = torch::nn::Sequential(convolution(in, out, 1, stride), torch::nn::BatchNorm2d(out));
      register_module("downsample", downsample_);
    }
  }

  torch::Tensor forward(const torch::Tensor& x) {
    auto y = torch::relu(bn1_(conv1_(x)));
    y = bn2_(conv2_(y));
    return torch::relu(y + (downsample_.is_empty() ? x : downsample_->forward(x)));
  }

 private:
  torch::nn::Conv2d conv1_;
  torch::nn::BatchNorm2d bn1_;
  torch::nn::Conv2d conv2_;
  torch::nn::BatchNorm2d bn2_;
  torch::nn::Sequential downsample_{nullptr};
};
TORCH_MODULE_IMPL(basic_block, basic_block_impl);

/// The whole network: [n][1][28][28] normalised pixels to [n][10] logits.
class teacher_impl : public torch::nn::Module {
 public:
  teacher_impl()
      : conv1_(register_module("conv1", convolution(1, 32, 3, 1))),
        bn1_(register_module("bn1", torch::nn::BatchNorm2d(32))),
        layer1_(register_module("layer1", stage(32, 48, 1))),
        layer2_(register_module("layer2", stage(48, 96, 2))),
        layer3_(register_module("layer3", stage(96, 192, 2))),
        fc_(register_module("fc", torch::nn::Linear(192, 10))) {
    for (auto& item : named_parameters()) {
      if (item.value().dim() == 4) {
        torch::nn::init::kaiming_normal_(item.value(), 0.0, torch::kFanOut, torch::kReLU);
      }
    }
  }

  torch::Tensor forward(torch::Tensor x) {
    x = torch::relu(bn1_(conv1_(x)));
    x = layer3_->forward(layer2_->forward(layer1_->forward(x)));
    return fc_(x.mean({2, 3}));
  }

 private:
  static torch::nn::Sequential stage(std::int64_t in, std::int64_t out, int blocks) {
    torch::nn::Sequential result;
    result->push_back(basic_block(in, out, 2));
    for (int i = 1; i < blocks; ++i) result->push_back(basic_block(out, out, 1));
    return result;
  }

  torch::nn::Conv2d conv1_;
  torch::nn::BatchNorm2d bn1_;
  torch::nn::Sequential layer1_;
  torch::nn::Sequential layer2_;
  torch::nn::Sequential layer3_;
  torch::nn::Linear fc_;
};
TORCH_MODULE_IMPL(teacher, teacher_impl);

}  // namespace fashion_mnist
