// SPDX-License-Identifier: Apache-2.0
#pragma once

// The products of a layer on tensors, each on codes and on decoded weights. A linear layer's tensors are n x features,
// a convolution's n x channels x h x w.

#include <bitpq/gemm/conv2d.hpp>
#include <bitpq/gemm/gemm.hpp>
#include <bitpq/interop/torch/coded_weights.hpp>
#include <bitpq/interop/torch/executor.hpp>
#include <bitpq/train/fused_gradient.hpp>
#include <bitpq/train/input_gradient.hpp>

namespace bitpq {
inline namespace v1 {
namespace torch {
namespace detail {

[[nodiscard]] inline bool is_linear(const layer_geometry& g) noexcept { return g.type == layer_geometry::kind::linear; }

[[nodiscard]] inline std::array<std::int64_t, 2> pair_of(extent2 e) noexcept {
  return {static_cast<std::int64_t>(e.h), static_cast<std::int64_t>(e.w)};
}

/// An output for inputs x, in their memory format.
[[nodiscard]] inline at::Tensor empty_output(const layer_geometry& g, const at::Tensor& x) {
  if (is_linear(g)) return at::empty({x.size(0), static_cast<std::int64_t>(g.rows())}, x.options());
  const std::array<std::int64_t, 2> out = pair_of(g.output_size({extent(x, 2), extent(x, 3)}));
  return at::empty({x.size(0), static_cast<std::int64_t>(g.rows()), out[0], out[1]}, x.options(),
                   x.suggest_memory_format());
}

/// W x + bias, straight from codes.
[[nodiscard]] inline at::Tensor forward_on_codes(const coded_weights& w, const at::Tensor& x, const at::Tensor& bias) {
  const layer_geometry& g = w.geometry();
  at::Tensor y = empty_output(g, x);
  const at::Tensor added = bias.defined() ? bias.contiguous() : bias;
  const std::span<const float> values = bias.defined() ? values_of(added) : std::span<const float>();
  if (is_linear(g))
    gemm(w.prepacked(), columns_of(x), writable_columns(y), {.bias = values}, at_executor{});
  else
    bitpq::conv2d(w.prepacked(), g, maps_of(x), writable_maps(y), {.bias = values}, at_executor{});
  return y;
}

/// The same by LibTorch.
[[nodiscard]] inline at::Tensor forward_dense(const layer_geometry& g, const at::Tensor& weight, const at::Tensor& x,
                                              const at::Tensor& bias) {
  if (is_linear(g)) return at::linear(x, weight, bias);
  return at::conv2d(x, weight, bias, pair_of(g.conv.stride), pair_of(g.conv.padding), pair_of(g.conv.dilation),
                    static_cast<std::int64_t>(g.groups()));
}

/// W^T dy, straight from codes.
[[nodiscard]] inline at::Tensor inputs_on_codes(const coded_weights& w, const at::Tensor& x, const at::Tensor& dy) {
  at::Tensor dx = at::empty_like(x);
  if (is_linear(w.geometry()))
    input_gradient(w.codes(), columns_of(dy), writable_columns(dx), at_executor{});
  else
    input_gradient(w.codes(), w.geometry(), maps_of(dy), writable_maps(dx), at_executor{});
  return dx;
}

/// The gradient by the codewords from x and dy.
[[nodiscard]] inline std::vector<float> codewords_fused(const coded_weights& w, const at::Tensor& x,
                                                        const at::Tensor& dy) {
  if (is_linear(w.geometry()))
    return codeword_gradient(w.codes(), columns_of(x), columns_of(dy), gradient_reduction::sum, at_executor{});
  return codeword_gradient(w.codes(), w.geometry(), maps_of(x), maps_of(dy), gradient_reduction::sum, at_executor{});
}

/// LibTorch's gradients by inputs and weights, those that are asked for.
[[nodiscard]] inline std::pair<at::Tensor, at::Tensor> dense_gradients(const layer_geometry& g,
                                                                       const at::Tensor& weight, const at::Tensor& x,
                                                                       const at::Tensor& dy, bool inputs,
                                                                       bool weights) {
  if (is_linear(g)) return {inputs ? dy.mm(weight) : at::Tensor(), weights ? dy.t().mm(x) : at::Tensor()};
  const std::array<std::int64_t, 2> none{0, 0};
  auto [dx, dw, db] = at::convolution_backward(dy, x, weight, at::OptionalIntArrayRef(), pair_of(g.conv.stride),
                                               pair_of(g.conv.padding), pair_of(g.conv.dilation), false, none,
                                               static_cast<std::int64_t>(g.groups()), {inputs, weights, false});
  return {dx, dw};
}

}  // namespace detail
}  // namespace torch
}  // namespace v1
}  // namespace bitpq
