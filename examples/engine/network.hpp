// SPDX-License-Identifier: Apache-2.0
#pragma once

// A graph and its layers, dense or compressed one by one.

#include "engine/graph.hpp"
#include "engine/layer.hpp"
#include "engine/pooling.hpp"

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

  /// Step i of the graph. Reads the tensors that it names, writes tensor i + 1 and frees those that nobody reads after
  /// it.
  void run(std::size_t i, std::vector<tensor>& tensors, bitpq::executor_ref exec) const {
    tensors[i + 1] = result_of(graph_.nodes[i], tensors, exec);
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
  [[nodiscard]] tensor result_of(const node& step, const std::vector<tensor>& tensors, bitpq::executor_ref exec) const {
    const tensor& x = tensors[step.inputs[0]];
    switch (step.type) {
      case node::kind::layer:
        return at(step.name).run(x, step.relu, exec, step.inputs.size() > 1 ? &tensors[step.inputs[1]] : nullptr);
      case node::kind::max_pool: return max_pool(x, step.window, exec);
      case node::kind::global_average_pool: return global_average_pool(x);
      case node::kind::concat: return concat(x, tensors[step.inputs[1]]);
    }
    return {};
  }

  graph graph_;
  std::vector<std::size_t> last_readers_;
  std::map<std::string, layer> layers_;
};

}  // namespace engine
