// SPDX-License-Identifier: Apache-2.0
#pragma once

// A network of the engine as a LibTorch module, so that it can be trained. Only what tunes includes this.

#include "engine/network.hpp"

#include <bitpq/interop/torch.hpp>

#include <ATen/ATen.h>
#include <torch/nn/module.h>

#include <map>

namespace engine {

class graph_module : public torch::nn::Module {
 public:
  /// Of a network whose layers are dense.
  explicit graph_module(const network& net) : structure_(net.structure()) {
    for (const node& step : structure_.nodes) {
      if (step.type != node::kind::layer) continue;
      layers_[step.name] =
          step.geometry.type == bitpq::layer_geometry::kind::linear ? add_linear(step) : add_convolution(step);
      const layer& weights = net.at(step.name);
      const bitpq::matrix_view<const float> dense = weights.dense_weights();
      at(step.name).set_weight(
          torch::from_blob(const_cast<float*>(dense.data_handle()), at(step.name).parameter().sizes()));
      set_bias(step.name, weights.bias());
    }
  }

  [[nodiscard]] bitpq::torch::compressible& at(const std::string& name) { return *layers_.at(name).weights; }
  /// One per output.
  [[nodiscard]] at::Tensor& bias(const std::string& name) { return layers_.at(name).bias; }
  void set_bias(const std::string& name, const std::vector<float>& values) {
    const at::NoGradGuard no_grad;
    bias(name).copy_(torch::from_blob(const_cast<float*>(values.data()), bias(name).sizes()));
  }

  /// n x channels x h x w to n x classes.
  at::Tensor forward(const at::Tensor& x) {
    const std::vector<std::size_t> last = structure_.last_readers();
    std::vector<at::Tensor> tensors(structure_.nodes.size() + 1);
    tensors[0] = x;
    for (std::size_t i = 0; i < structure_.nodes.size(); ++i) {
      tensors[i + 1] = result_of(structure_.nodes[i], tensors);
      for (const std::size_t t : structure_.nodes[i].inputs)
        if (last[t] == i) tensors[t] = at::Tensor();
    }
    return tensors.back().flatten(1);
  }

 private:
  struct module_layer {
    bitpq::torch::compressible* weights;
    std::function<at::Tensor(const at::Tensor&)> forward;
    at::Tensor bias;
  };

  /// Names of modules have no dots.
  static std::string module_name(std::string name) {
    std::replace(name.begin(), name.end(), '.', '-');
    return name;
  }

  module_layer add_linear(const node& step) {
    const bitpq::layer_geometry& g = step.geometry;
    auto module = register_module(module_name(step.name),
                                  bitpq::torch::linear(torch::nn::LinearOptions(size(g.cols()), size(g.rows()))));
    return {module.get(), [module](const at::Tensor& x) mutable { return module->forward(x.flatten(1)); },
            module->bias};
  }

  module_layer add_convolution(const node& step) {
    const bitpq::layer_geometry& g = step.geometry;
    auto module = register_module(
        module_name(step.name),
        bitpq::torch::conv2d(torch::nn::Conv2dOptions(size(g.in_channels), size(g.out_channels), pair(g.kernel))
                                 .stride(pair(g.conv.stride))
                                 .padding(pair(g.conv.padding))
                                 .dilation(pair(g.conv.dilation))
                                 .groups(size(g.groups()))));
    return {module.get(), [module](const at::Tensor& x) mutable { return module->forward(x); }, module->bias};
  }

  at::Tensor result_of(const node& step, const std::vector<at::Tensor>& tensors) {
    const at::Tensor& x = tensors[step.inputs[0]];
    const pool_window& w = step.window;
    at::Tensor y;
    switch (step.type) {
      case node::kind::layer:
        y = layers_.at(step.name).forward(x);
        if (step.inputs.size() > 1) y = y + tensors[step.inputs[1]];
        return step.relu ? y.relu() : y;
      case node::kind::max_pool: return at::max_pool2d(x, size(w.size), size(w.stride), size(w.padding), 1, w.ceil);
      case node::kind::global_average_pool: return x.mean({2, 3}, true);
      case node::kind::concat: return at::cat({x, tensors[step.inputs[1]]}, 1);
    }
    return y;
  }

  static std::int64_t size(std::size_t n) { return static_cast<std::int64_t>(n); }
  static torch::ExpandingArray<2> pair(bitpq::extent2 e) { return {std::vector<std::int64_t>{size(e.h), size(e.w)}}; }

  graph structure_;
  std::map<std::string, module_layer> layers_;
};

}  // namespace engine
