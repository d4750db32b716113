// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a network computes, without its weights: a list of steps, each of which makes one tensor out of earlier ones.
// Tensors go by number: 0 is the network's input, step i makes tensor i + 1, and the last one is the output.

#include <bitpq/codec/layer_geometry.hpp>

#include <string>
#include <vector>

namespace engine {

/// The window of a max pool. `ceil` keeps a last window that the input does not fill, as torch's ceil_mode does.
struct pool_window {
  std::size_t size = 2, stride = 2, padding = 0;
  bool ceil = false;
};

struct node {
  enum class kind { layer, max_pool, global_average_pool, concat };

  kind type = kind::layer;
  std::vector<std::size_t> inputs;  ///< numbers of tensors; the second one of a layer is added to its sums
  std::string name{};               ///< of a layer: its weights are called NAME.weight
  std::string norm{};               ///< of a layer: the batch norm behind it, folded when weights are loaded; or empty
  bitpq::layer_geometry geometry{};
  bool relu = false;
  pool_window window{};
};

struct graph {
  std::size_t input_channels = 3;
  std::vector<node> nodes;

  /// For each tensor the last step that reads it: after that its memory is free. Nothing frees the output.
  [[nodiscard]] std::vector<std::size_t> last_readers() const {
    std::vector<std::size_t> last(nodes.size() + 1, nodes.size());
    for (std::size_t i = 0; i < nodes.size(); ++i)
      for (const std::size_t t : nodes[i].inputs) last[t] = i;
    return last;
  }
};

/// Puts a graph together step by step; every call returns the number of the tensor that its step makes.
class graph_builder {
 public:
  explicit graph_builder(std::size_t input_channels) : channels_{input_channels} {
    graph_.input_channels = input_channels;
  }

  struct conv_options {
    std::size_t kernel = 1, stride = 1, padding = 0;
    bool relu = true;
    std::string norm{};
  };

  std::size_t conv(const std::string& name, std::size_t from, std::size_t out, const conv_options& o) {
    return layer(name, from, o, convolution(from, out, o));
  }
  /// act(conv(from) + residual).
  std::size_t conv_and_add(const std::string& name, std::size_t from, std::size_t residual, std::size_t out,
                           const conv_options& o) {
    const std::size_t made = layer(name, from, o, convolution(from, out, o));
    graph_.nodes.back().inputs.push_back(residual);
    return made;
  }
  std::size_t linear(const std::string& name, std::size_t from, std::size_t out) {
    return layer(name, from, {.relu = false}, bitpq::layer_geometry::linear(out, channels_[from]));
  }
  std::size_t max_pool(std::size_t from, pool_window window) {
    node step{node::kind::max_pool, {from}};
    step.window = window;
    return add(std::move(step), channels_[from]);
  }
  std::size_t global_average_pool(std::size_t from) {
    return add({node::kind::global_average_pool, {from}}, channels_[from]);
  }
  /// The channels of `a`, then those of `b`.
  std::size_t concat(std::size_t a, std::size_t b) {
    return add({node::kind::concat, {a, b}}, channels_[a] + channels_[b]);
  }

  [[nodiscard]] std::size_t channels(std::size_t tensor) const { return channels_[tensor]; }
  [[nodiscard]] graph take() { return std::move(graph_); }

 private:
  [[nodiscard]] bitpq::layer_geometry convolution(std::size_t from, std::size_t out, const conv_options& o) const {
    return bitpq::layer_geometry::conv2d(out, channels_[from], {o.kernel, o.kernel},
                                         {{o.stride, o.stride}, {o.padding, o.padding}, {1, 1}, 1});
  }
  std::size_t layer(const std::string& name, std::size_t from, const conv_options& o,
                    const bitpq::layer_geometry& geometry) {
    return add({node::kind::layer, {from}, name, o.norm, geometry, o.relu, {}}, geometry.out_channels);
  }
  std::size_t add(node step, std::size_t channels) {
    graph_.nodes.push_back(std::move(step));
    channels_.push_back(channels);
    return graph_.nodes.size();
  }

  graph graph_;
  std::vector<std::size_t> channels_;  // of each tensor
};

}  // namespace engine
