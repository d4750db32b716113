// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the layers of an unmodified network read. LibTorch's C++ modules have no hooks, but a forward pass that records
// its graph leaves, at each product with a weight, the input that the weight's gradient will be computed from.

#include <bitpq/codec/layer_geometry.hpp>
#include <bitpq/interop/torch/tensors.hpp>

#include <torch/csrc/autograd/functions/accumulate_grad.h>
#include <torch/csrc/autograd/generated/Functions.h>

#include <algorithm>
#include <unordered_set>
#include <vector>

namespace bitpq {
inline namespace v1 {
namespace torch {

/// A product with a layer's weights in a recorded forward pass.
struct recorded_use {
  const at::TensorImpl* weight = nullptr;
  layer_geometry geometry;
  at::Tensor input;         ///< n x features or n x channels x h x w, as the product read it
  std::uint64_t order = 0;  ///< among the nodes of the graph
};

/// Parameters by identity.
using weight_set = std::unordered_set<const at::TensorImpl*>;

namespace detail {

/// The parameter that an edge ends in, also if it is transposed on the way; null where it is none.
[[nodiscard]] inline const at::TensorImpl* parameter_behind(const ::torch::autograd::Edge& edge) {
  namespace graph = ::torch::autograd;
  graph::Node* node = edge.function.get();
  while (dynamic_cast<graph::generated::TBackward0*>(node) != nullptr) node = node->next_edge(0).function.get();
  const auto* const leaf = dynamic_cast<graph::AccumulateGrad*>(node);
  return leaf == nullptr ? nullptr : leaf->variable.unsafeGetTensorImpl();
}

[[nodiscard]] inline extent2 extent_of(const std::vector<std::int64_t>& pair) {
  return {static_cast<std::size_t>(pair.at(0)), static_cast<std::size_t>(pair.at(1))};
}

/// A two-dimensional convolution, not a transposed one.
[[nodiscard]] inline std::optional<recorded_use> use_of(const ::torch::autograd::generated::ConvolutionBackward0& node,
                                                        const weight_set& wanted) {
  if (node.transposed || node.stride.size() != 2) return std::nullopt;
  const at::TensorImpl* const weight = parameter_behind(node.next_edge(1));
  if (!wanted.contains(weight)) return std::nullopt;
  const at::Tensor input = node.input_.unpack();
  const auto size = [&](std::size_t dim) { return static_cast<std::size_t>(weight->sizes()[dim]); };
  return recorded_use{weight,
                      layer_geometry::conv2d(size(0), extent(input, 1), {size(2), size(3)},
                                             {extent_of(node.stride), extent_of(node.padding), extent_of(node.dilation),
                                              static_cast<std::size_t>(node.groups)}),
                      input, node.sequence_nr()};
}

/// x W^T, of samples as rows.
[[nodiscard]] inline std::optional<recorded_use> linear_use(const ::torch::autograd::Node& node, std::size_t edge,
                                                            const ::torch::autograd::SavedVariable& saved,
                                                            const weight_set& wanted) {
  const at::TensorImpl* const weight = parameter_behind(node.next_edge(edge));
  if (!wanted.contains(weight) || weight->dim() != 2) return std::nullopt;
  const at::Tensor input = saved.unpack();
  const auto size = [&](std::size_t dim) { return static_cast<std::size_t>(weight->sizes()[dim]); };
  if (input.dim() != 2 || extent(input, 1) != size(1)) return std::nullopt;
  return recorded_use{weight, layer_geometry::linear(size(0), size(1)), input, node.sequence_nr()};
}

[[nodiscard]] inline std::optional<recorded_use> use_of(const ::torch::autograd::Node& node, const weight_set& wanted) {
  namespace graph = ::torch::autograd::generated;
  if (const auto* const conv = dynamic_cast<const graph::ConvolutionBackward0*>(&node)) return use_of(*conv, wanted);
  if (const auto* const sum = dynamic_cast<const graph::AddmmBackward0*>(&node))
    return linear_use(node, 2, sum->mat1_, wanted);
  if (const auto* const product = dynamic_cast<const graph::MmBackward0*>(&node))
    return linear_use(node, 1, product->self_, wanted);
  return std::nullopt;
}

/// The same for a node whose input may be gone: LibTorch notices when it was changed after it had been read.
[[nodiscard]] inline std::optional<recorded_use> seen_use_of(const ::torch::autograd::Node& node,
                                                             const weight_set& wanted) {
#if BITPQ_HAS_EXCEPTIONS
  try {
    return use_of(node, wanted);
  } catch (const c10::Error&) {
    fail(errc::unsupported, "what a layer of torch::nn reads (", node.name(),
         ") is changed in place later in the pass; bitpq's own layers see it in time");
  }
#else
  return use_of(node, wanted);
#endif
}

}  // namespace detail

/// All products with the weights that are `wanted`, in the order in which they were computed. `output` comes from a
/// forward pass in which these asked for gradients. Other kinds of products (of batches of matrices, transposed
/// convolutions) are left out. Throws unsupported for an input that was changed in place after it had been read.
/// O(nodes of the graph).
[[nodiscard]] inline std::vector<recorded_use> recorded_uses(const at::Tensor& output, const weight_set& wanted) {
  std::vector<recorded_use> found;
  std::vector<::torch::autograd::Node*> open;
  std::unordered_set<::torch::autograd::Node*> seen;
  const auto visit = [&](::torch::autograd::Node* node) {
    if (node != nullptr && seen.insert(node).second) open.push_back(node);
  };
  visit(output.grad_fn().get());
  while (!open.empty()) {
    const ::torch::autograd::Node& node = *open.back();
    open.pop_back();
    if (std::optional<recorded_use> use = detail::seen_use_of(node, wanted)) found.push_back(std::move(*use));
    for (const ::torch::autograd::Edge& edge : node.next_edges()) visit(edge.function.get());
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.order < b.order; });
  return found;
}

}  // namespace torch
}  // namespace v1
}  // namespace bitpq
