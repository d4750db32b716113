// SPDX-License-Identifier: Apache-2.0
#pragma once

// A graph and its layers, dense or compressed one by one.

#include "engine/graph.hpp"
#include "engine/layer.hpp"
#include "engine/shapes.hpp"

#include <map>

namespace engine {

class network {
 public:
  network() = default;
  explicit network(graph g) : graph_(std::move(g)), last_readers_(graph_.last_readers()) {}

  [[nodiscard]] const graph& structure() const noexcept { return graph_; }
  /// Throws std::out_of_range for a layer that is not set.
  [[nodiscard]] const layer& at(const std::string& name) const { return layers_.at(name); }
  void set(const std::string& name, layer weights) { layers_[name] = std::move(weights); }

  /// Bytes that the weights take while the network runs.
  [[nodiscard]] std::size_t weight_bytes() const noexcept {
    std::size_t bytes = 0;
    for (const auto& [name, weights] : layers_) bytes += weights.bytes();
    return bytes;
  }

  /// What step i makes of its inputs: reads what maps(number) views and writes y. Allocates nothing, see
  /// layer::run.
  template <class Maps>
  void compute(std::size_t i, const Maps& maps, maps_out y, bitpq::executor_ref exec) const {
    const node& step = graph_.nodes[i];
    const maps_in x = maps(step.inputs[0]);
    switch (step.type) {
      case node::kind::layer:
        return at(step.name).run(x, y, step.relu, exec, step.inputs.size() > 1 ? maps(step.inputs[1]) : maps_in());
      case node::kind::max_pool: return max_pool(x, step.window, y, exec);
      case node::kind::global_average_pool: return global_average_pool(x, y);
      case node::kind::concat: return concat(x, maps(step.inputs[1]), y);
    }
  }

  /// Step i of the graph. Reads the tensors that it names, writes tensor i + 1 and frees those that nobody reads after
  /// it.
  void run(std::size_t i, std::vector<tensor>& tensors, bitpq::executor_ref exec) const {
    tensor made(output_shape(graph_.nodes[i], [&](std::size_t t) { return tensors[t].shape(); }));
    compute(
        i, [&](std::size_t t) { return std::as_const(tensors[t]).view(); }, made.view(), exec);
    tensors[i + 1] = std::move(made);
    for (const std::size_t t : graph_.nodes[i].inputs)
      if (last_readers_[t] == i) tensors[t] = {};
  }

  /// The output for a batch of inputs, n x channels x h x w.
  [[nodiscard]] tensor forward(tensor x, bitpq::executor_ref exec) const {
    std::vector<tensor> tensors(graph_.nodes.size() + 1);
    tensors[0] = std::move(x);
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i) run(i, tensors, exec);
    return std::move(tensors.back());
  }

 private:
  graph graph_;
  std::vector<std::size_t> last_readers_;
  std::map<std::string, layer> layers_;
};

}  // namespace engine
