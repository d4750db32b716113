// SPDX-License-Identifier: Apache-2.0
#pragma once

// torch::nn::Linear, whose weights can become codes.

#include <bitpq/interop/torch/coded_module.hpp>

#include <torch/nn/cloneable.h>
#include <torch/nn/init.h>
#include <torch/nn/options/linear.h>
#include <torch/nn/pimpl.h>

namespace bitpq {
inline namespace v1 {
namespace torch {

/// Options, members and behaviour of torch::nn::LinearImpl while it is dense.
class linear_impl : public coded_module<linear_impl, ::torch::nn::Cloneable<linear_impl>> {
 public:
  linear_impl(std::int64_t in_features, std::int64_t out_features)
      : linear_impl(::torch::nn::LinearOptions(in_features, out_features)) {}
  explicit linear_impl(const ::torch::nn::LinearOptions& options_) : options(options_) { reset(); }  // NOLINT

  void reset() override {
    set_geometry(layer_geometry::linear(static_cast<std::size_t>(options.out_features()),
                                        static_cast<std::size_t>(options.in_features())));
    if (compressed())
      codebook = register_parameter("codebook", fresh_codebook());
    else
      weight = register_parameter("weight", at::empty({options.out_features(), options.in_features()}));
    bias = options.bias() ? register_parameter("bias", at::empty({options.out_features()}))
                          : register_parameter("bias", {}, false);
    reset_parameters();
  }

  /// Random weights and bias as torch::nn::Linear's; a compressed layer keeps its codewords.
  void reset_parameters() {
    if (weight.defined()) ::torch::nn::init::kaiming_uniform_(weight, std::sqrt(5.0));
    const double bound = 1 / std::sqrt(static_cast<double>(options.in_features()));
    if (bias.defined()) ::torch::nn::init::uniform_(bias, -bound, bound);
  }

  void pretty_print(std::ostream& stream) const override {
    stream << "bitpq::torch::linear(in_features=" << options.in_features()
           << ", out_features=" << options.out_features() << ", bias=" << std::boolalpha << options.bias() << ", "
           << to_string(state()) << ")";
  }

  /// x is ... x in_features, the result ... x out_features. Throws bad_shape.
  at::Tensor forward(const at::Tensor& x) {
    require(x.dim() > 0 && x.size(-1) == options.in_features(), errc::bad_shape, "input of ",
            x.dim() > 0 ? x.size(-1) : 0, " features for a layer of ", options.in_features());
    const at::Tensor rows = x.dim() == 2 ? x : x.reshape({-1, options.in_features()});
    const at::Tensor y = product(rows, bias, is_training(), [&] { return at::linear(rows, weight, bias); });
    if (x.dim() == 2) return y;
    std::vector<std::int64_t> sizes = x.sizes().vec();
    sizes.back() = options.out_features();
    return y.reshape(sizes);
  }

  ::torch::nn::LinearOptions options;
  at::Tensor weight;  ///< undefined where compressed
  at::Tensor bias;
};

class linear : public ::torch::nn::ModuleHolder<linear_impl> {
 public:
  using ::torch::nn::ModuleHolder<linear_impl>::ModuleHolder;
  using Impl = linear_impl;
};

}  // namespace torch
}  // namespace v1
}  // namespace bitpq
