// SPDX-License-Identifier: Apache-2.0
#pragma once

// Channels in another order, and a network that computes the same for all that: where a layer takes its inputs in
// another order, the layer before it must put out its channels in that order.

#include <bitpq/codec/layer_geometry.hpp>
#include <bitpq/quantize/importance.hpp>

#include <algorithm>
#include <numeric>
#include <span>
#include <string>
#include <vector>

namespace bitpq {
inline namespace v1 {

/// A permutation of channels: place i is for what was channel order[i].
using channel_order = std::vector<std::size_t>;

[[nodiscard]] inline channel_order identity_order(std::size_t channels) {
  channel_order order(channels);
  std::iota(order.begin(), order.end(), std::size_t{0});
  return order;
}

/// The order that undoes another one. Throws bad_params for what is no permutation.
[[nodiscard]] inline channel_order inverse(std::span<const std::size_t> order) {
  channel_order back(order.size(), order.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    require(order[i] < order.size() && back[order[i]] == order.size(), errc::bad_params, "an order of ", order.size(),
            " channels holds ", order[i], " at ", i, order[i] < order.size() ? " for the second time" : "");
    back[order[i]] = i;
  }
  return back;
}

namespace detail {

/// values[i] = old values[order[i]], in runs of `unit`.
template <scalar T, class At>
void reorder(std::span<const std::size_t> order, std::size_t unit, std::vector<T>& old, const At& at) {
  const std::size_t n = order.size() * unit;
  old.resize(n);
  for (std::size_t i = 0; i < n; ++i) old[i] = at(i);
  for (std::size_t i = 0; i < n; ++i) at(i) = old[order[i / unit] * unit + i % unit];
}

}  // namespace detail

/// Puts values of channels, one each (a bias, a scale of batch norm), in that order. Throws bad_shape or bad_params.
template <scalar T>
void permute_channels(std::span<T> values, std::span<const std::size_t> order) {
  static_cast<void>(inverse(order));
  require(values.size() == order.size(), errc::bad_shape, values.size(), " values for an order of ", order.size(),
          " channels");
  std::vector<T> old;
  detail::reorder<T>(order, 1, old, [&](std::size_t i) -> T& { return values[i]; });
}

/// Puts the columns of a weight matrix in that order of its input channels; a channel has cols / channels columns,
/// those of its window, or of its pixels in a linear layer that reads whole maps. Throws bad_shape or bad_params.
template <scalar T>
void permute_inputs(matrix_view<T> w, std::span<const std::size_t> order) {
  static_cast<void>(inverse(order));
  require(!order.empty() && w.cols() % order.size() == 0, errc::bad_shape, "weights of ", w.rows(), " x ", w.cols(),
          " with an order of ", order.size(), " input channels");
  std::vector<T> old;
  for (std::size_t r = 0; r < w.rows(); ++r)
    detail::reorder<T>(order, w.cols() / order.size(), old, [&](std::size_t c) -> T& { return w(r, c); });
}

/// Puts the rows of a weight matrix in that order of its output channels. Throws bad_shape or bad_params.
template <scalar T>
void permute_outputs(matrix_view<T> w, std::span<const std::size_t> order) {
  static_cast<void>(inverse(order));
  require(w.rows() == order.size(), errc::bad_shape, "weights of ", w.rows(), " x ", w.cols(), " with an order of ",
          order.size(), " output channels");
  std::vector<T> old;
  for (std::size_t c = 0; c < w.cols(); ++c)
    detail::reorder<T>(order, 1, old, [&](std::size_t r) -> T& { return w(r, c); });
}

/// The second moments of inputs in that order of channels. Throws bad_shape unless of one group, or bad_params.
[[nodiscard]] inline importance permute_inputs(const importance& h, std::span<const std::size_t> order) {
  static_cast<void>(inverse(order));
  require(h.groups() == 1 && !order.empty() && h.cols() % order.size() == 0, errc::bad_shape, "second moments of ",
          h.groups(), " x ", h.cols(), " with an order of ", order.size(), " input channels");
  const std::size_t cols = h.cols(), unit = cols / order.size();
  const auto old = [&](std::size_t c) { return order[c / unit] * unit + c % unit; };
  aligned_buffer<double> moments(cols * cols);
  for (std::size_t i = 0; i < cols; ++i)
    for (std::size_t j = 0; j < cols; ++j) moments[i * cols + j] = h.gram(0)(old(i), old(j));
  return {1, cols, std::move(moments)};
}

/// A layer of a chain, in which each reads the outputs of the one before; what is between them (activation, pooling)
/// treats all channels alike.
template <scalar T>
struct chain_layer {
  std::string name;
  layer_geometry geometry;
  matrix_view<T> weights;                  ///< geometry.rows() x geometry.cols()
  std::vector<std::span<T>> per_output{};  ///< all else with a value per output: bias, batch norm
  bool joined = false;  ///< its outputs meet others: a residual is added, or another layer reads them
};

/// Why the channels between chain[consumer - 1] and chain[consumer] are held fast, or nothing when they may move.
template <scalar T>
[[nodiscard]] std::string why_fixed(std::span<const chain_layer<T>> chain, std::size_t consumer) {
  if (consumer < 1 || consumer >= chain.size())
    return "layer " + std::to_string(consumer) + " of " + std::to_string(chain.size()) + " reads no other's outputs";
  const chain_layer<T>&from = chain[consumer - 1], &to = chain[consumer];
  const std::string between = "channels between '" + from.name + "' and '" + to.name + "' cannot be permuted: ";
  if (from.joined) return between + "the outputs of '" + from.name + "' meet others in a residual join";
  for (const chain_layer<T>* const layer : {&from, &to})
    if (layer->geometry.groups() > 1)
      return between + "'" + layer->name + "' is a convolution of " + std::to_string(layer->geometry.groups()) +
             " groups";
  return {};
}

/// Puts the channels between chain[consumer - 1] and chain[consumer] in that order: the inputs of the one, the outputs
/// of the other. Throws, nothing changed, bad_params with why_fixed's words, which name the layers, or bad_shape.
template <scalar T>
void permute_between(std::span<const chain_layer<T>> chain, std::size_t consumer, std::span<const std::size_t> order) {
  static_cast<void>(inverse(order));
  const std::string fixed = why_fixed<T>(chain, consumer);
  require(fixed.empty(), errc::bad_params, fixed);
  const chain_layer<T>&from = chain[consumer - 1], &to = chain[consumer];
  require(from.weights.rows() == order.size() && !order.empty() && to.weights.cols() % order.size() == 0,
          errc::bad_shape, "'", from.name, "' has ", from.weights.rows(), " outputs and '", to.name, "' weights of ",
          to.weights.rows(), " x ", to.weights.cols(), ", for an order of ", order.size());
  for (const std::span<T>& values : from.per_output)
    require(values.size() == order.size(), errc::bad_shape, "'", from.name, "' has ", values.size(),
            " values beside its ", order.size(), " outputs");
  permute_outputs<T>(from.weights, order);
  for (const std::span<T>& values : from.per_output) permute_channels<T>(values, order);
  permute_inputs<T>(to.weights, order);
}

}  // namespace v1
}  // namespace bitpq
