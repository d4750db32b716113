// SPDX-License-Identifier: Apache-2.0
#pragma once

// torch::nn::Conv2d, whose weights can become codes.

#include <bitpq/interop/torch/coded_module.hpp>

#include <torch/nn/functional/padding.h>
#include <torch/nn/modules/conv.h>

namespace bitpq {
inline namespace v1 {
namespace torch {

/// Options, members and behaviour of torch::nn::Conv2dImpl while it is dense. Padding that a convolution of codes has
/// not, other than by zeros or by more on one side, is put round the input first; geometry() then has none.
class conv2d_impl : public coded_module<conv2d_impl, ::torch::nn::ConvNdImpl<2, conv2d_impl>> {
  using base = coded_module<conv2d_impl, ::torch::nn::ConvNdImpl<2, conv2d_impl>>;

 public:
  conv2d_impl(std::int64_t in_channels, std::int64_t out_channels, ::torch::ExpandingArray<2> kernel_size)
      : conv2d_impl(::torch::nn::Conv2dOptions(in_channels, out_channels, kernel_size)) {}
  explicit conv2d_impl(const ::torch::nn::Conv2dOptions& o)
      : base(::torch::nn::detail::ConvNdOptions<2>(o.in_channels(), o.out_channels(), o.kernel_size())
                 .stride(o.stride())
                 .padding(o.padding())
                 .dilation(o.dilation())
                 .transposed(false)
                 .output_padding(0)
                 .groups(o.groups())
                 .bias(o.bias())
                 .padding_mode(o.padding_mode())) {
    settle();
  }

  void reset() override {
    base::reset();
    settle();
    if (compressed()) use_codebook(fresh_codebook());
  }

  void pretty_print(std::ostream& stream) const override {
    base::pretty_print(stream);
    stream << " of bitpq, " << to_string(state());
  }

  /// x is n x channels x h x w, or channels x h x w. Throws bad_shape.
  at::Tensor forward(const at::Tensor& x) {
    require((x.dim() == 3 || x.dim() == 4) && x.size(-3) == options.in_channels(), errc::bad_shape, "input of ",
            x.dim() < 3 ? 0 : x.size(-3), " channels and ", x.dim(), " dimensions for a layer of ",
            options.in_channels(), " channels");
    if (x.dim() == 3) return forward(x.unsqueeze(0)).squeeze(0);
    const at::Tensor padded = pads_first_ ? pad(x) : x;
    return product(padded, bias, is_training(),
                   [&] { return detail::forward_dense(geometry(), weight, padded, bias); });
  }

 private:
  /// What the options say, as the library says it.
  void settle() {
    const auto pair = [](const auto& array) {
      return extent2{static_cast<std::size_t>((*array)[0]), static_cast<std::size_t>((*array)[1])};
    };
    const bool zeros = c10::get_if<::torch::enumtype::kZeros>(&options.padding_mode()) != nullptr;
    const std::vector<std::int64_t>& round = _reversed_padding_repeated_twice;  // left, right, top, bottom
    pads_first_ = !zeros || round[0] != round[1] || round[2] != round[3];
    const extent2 padding{static_cast<std::size_t>(round[2]), static_cast<std::size_t>(round[0])};
    set_geometry(layer_geometry::conv2d(static_cast<std::size_t>(options.out_channels()),
                                        static_cast<std::size_t>(options.in_channels()), pair(options.kernel_size()),
                                        {pair(options.stride()), pads_first_ ? extent2{0, 0} : padding,
                                         pair(options.dilation()), static_cast<std::size_t>(options.groups())}));
  }

  [[nodiscard]] at::Tensor pad(const at::Tensor& x) const {
    namespace fn = ::torch::nn::functional;
    fn::PadFuncOptions how(_reversed_padding_repeated_twice);
    if (c10::get_if<::torch::enumtype::kReflect>(&options.padding_mode()) != nullptr) how.mode(::torch::kReflect);
    if (c10::get_if<::torch::enumtype::kReplicate>(&options.padding_mode()) != nullptr) how.mode(::torch::kReplicate);
    if (c10::get_if<::torch::enumtype::kCircular>(&options.padding_mode()) != nullptr) how.mode(::torch::kCircular);
    return fn::pad(x, how);
  }

  bool pads_first_ = false;
};

class conv2d : public ::torch::nn::ModuleHolder<conv2d_impl> {
 public:
  using ::torch::nn::ModuleHolder<conv2d_impl>::ModuleHolder;
  using Impl = conv2d_impl;
};

}  // namespace torch
}  // namespace v1
}  // namespace bitpq
