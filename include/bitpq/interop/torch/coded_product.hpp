// SPDX-License-Identifier: Apache-2.0
#pragma once

// y = W x + bias as one node of LibTorch's autograd graph, whose weights are codes and whose parameter is the codebook.
// Codewords that are stored in f16 or int8 run as they will be stored; their gradient passes straight through to the
// floats they were rounded from.

#include <bitpq/interop/torch/products.hpp>
#include <bitpq/interop/torch/training_plan.hpp>

#include <torch/csrc/autograd/custom_function.h>

namespace bitpq {
inline namespace v1 {
namespace torch {
namespace detail {

/// The plan for weights and an input of that shape.
[[nodiscard]] inline training_plan plan_for(const coded_weights& w, const at::Tensor& x, arithmetic forced) {
  const layer_geometry& g = w.geometry();
  const code_format& f = w.codes().format();
  if (is_linear(g)) return plan_training(f, {1, g.rows(), extent(x, 0)}, 0, forced);
  const product_shape shape = shape_of(g, f, extent(x, 0), {extent(x, 2), extent(x, 3)});
  const std::size_t outputs = g.rows() * shape.columns;
  return plan_training(f, shape, static_cast<double>(static_cast<std::size_t>(x.numel()) + outputs), forced);
}

/// The gradient by the codewords, in the shape of the codebook's parameter.
[[nodiscard]] inline at::Tensor codebook_tensor(const codebook<float>& book, std::span<const float> values) {
  const auto size = [](std::size_t n) { return static_cast<std::int64_t>(n); };
  at::Tensor tensor = at::empty({size(book.count()), size(book.codewords()), size(book.block_size())});
  std::copy(values.begin(), values.end(), tensor.data_ptr<float>());
  return tensor;
}

struct coded_product : ::torch::autograd::Function<coded_product> {
  using context = ::torch::autograd::AutogradContext;
  using tensors = ::torch::autograd::variable_list;
  static constexpr std::int64_t inputs_coded = 1, codewords_coded = 2, biased = 4;

  static at::Tensor forward(context* ctx, const at::Tensor& x, const at::Tensor& /*codewords*/,
                            const c10::optional<at::Tensor>& bias, const coded_weights_ptr& w,
                            const training_plan& plan) {
    const at::Tensor weight = plan.forward_on_codes ? at::Tensor() : w->decoded();
    const at::Tensor added = bias.value_or(at::Tensor());
    ctx->saved_data["weights"] = c10::IValue::make_capsule(w);
    ctx->saved_data["flags"] = (plan.inputs_on_codes ? inputs_coded : 0) |
                               (plan.codewords_on_codes ? codewords_coded : 0) | (added.defined() ? biased : 0);
    ctx->save_for_backward({x, weight});
    return plan.forward_on_codes ? forward_on_codes(*w, x, added) : forward_dense(w->geometry(), weight, x, added);
  }

  /// Gradients by x, codewords and bias.
  static tensors backward(context* ctx, const tensors& dys) {
    require(!at::GradMode::is_enabled(), errc::unsupported, "second derivatives of a compressed layer");
    const auto w = c10::static_intrusive_pointer_cast<coded_weights>(ctx->saved_data["weights"].toCapsule());
    const std::int64_t flags = ctx->saved_data["flags"].toInt();
    const tensors saved = ctx->get_saved_variables();
    const at::Tensor &x = saved[0], &dy = dys[0];
    const bool inputs = ctx->needs_input_grad(0), codewords = ctx->needs_input_grad(1);
    const bool inputs_dense = inputs && (flags & inputs_coded) == 0;
    const bool codewords_dense = codewords && (flags & codewords_coded) == 0;

    at::Tensor dx, dweight, dcodewords, dbias;
    if (inputs_dense || codewords_dense) {
      const at::Tensor weight = saved[1].defined() ? saved[1] : w->decoded();
      std::tie(dx, dweight) = dense_gradients(w->geometry(), weight, x, dy, inputs_dense, codewords_dense);
    }
    if (inputs && !inputs_dense) dx = inputs_on_codes(*w, x, dy);
    if (codewords) dcodewords = codebook_tensor(w->codes().book(), codeword_values(*w, x, dy, dweight));
    if ((flags & biased) != 0 && ctx->needs_input_grad(2))
      dbias = is_linear(w->geometry()) ? dy.sum(0) : dy.sum({0, 2, 3});
    return {dx, dcodewords, dbias, at::Tensor(), at::Tensor()};
  }

 private:
  /// From the gradient of the weights where there is one, else fused.
  static std::vector<float> codeword_values(const coded_weights& w, const at::Tensor& x, const at::Tensor& dy,
                                            const at::Tensor& dweight) {
    if (!dweight.defined()) return codewords_fused(w, x, dy);
    const at::Tensor rows = dweight.contiguous();
    return codeword_gradient(w.codes(), weight_matrix(rows));
  }
};

}  // namespace detail
}  // namespace torch
}  // namespace v1
}  // namespace bitpq
