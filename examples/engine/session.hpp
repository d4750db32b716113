// SPDX-License-Identifier: Apache-2.0
#pragma once

// A network that answers one batch after another. Everything it needs for that is planned and allocated beforehand;
// answering allocates nothing (but the scratch that bitpq keeps, the first time).

#include "engine/memory_plan.hpp"
#include "engine/network.hpp"

namespace engine {

class session {
 public:
  /// `net` must outlive the session. Throws bad_shape where the network cannot take inputs of that shape.
  session(const network& net, const tensor_shape& input, bitpq::executor_ref exec)
      : net_(&net), exec_(exec), plan_(net.structure(), input), memory_(plan_.size()) {}

  /// To be filled before each run: other tensors take its place once it has been read.
  [[nodiscard]] maps_out input() noexcept { return maps(0); }

  /// The output, valid until the next run.
  maps_in run() {
    for (std::size_t i = 0; i < steps(); ++i) run_step(i);
    return maps(steps());
  }

  /// The same step by step, for those who want to look at the clock in between.
  [[nodiscard]] std::size_t steps() const noexcept { return net_->structure().nodes.size(); }
  void run_step(std::size_t i) {
    net_->compute(
        i, [this](std::size_t t) { return maps(t); }, maps(i + 1), exec_);
  }
  [[nodiscard]] maps_in output() noexcept { return maps(steps()); }

  /// Which way bitpq computes step i, or what the step is.
  [[nodiscard]] std::string path(std::size_t i) const {
    const node& step = net_->structure().nodes[i];
    const tensor_shape& x = plan_[step.inputs[0]].shape;
    switch (step.type) {
      case node::kind::layer: return net_->at(step.name).path(x.n, {x.h, x.w});
      case node::kind::max_pool: return "max pool";
      case node::kind::global_average_pool: return "average";
      case node::kind::concat: return "concat";
    }
    return {};
  }

  [[nodiscard]] const network& net() const noexcept { return *net_; }
  [[nodiscard]] const memory_plan& plan() const noexcept { return plan_; }
  /// Bytes of all activations.
  [[nodiscard]] std::size_t activation_bytes() const noexcept { return memory_.size() * sizeof(float); }

 private:
  [[nodiscard]] maps_out maps(std::size_t t) noexcept {
    const auto& [shape, offset, image] = plan_[t];
    const auto row = static_cast<std::ptrdiff_t>(shape.w), plane = static_cast<std::ptrdiff_t>(shape.h) * row;
    return {memory_.data() + offset,
            {shape.n, shape.c, shape.h, shape.w},
            {static_cast<std::ptrdiff_t>(image), plane, row, 1}};
  }

  const network* net_;
  bitpq::executor_ref exec_;
  memory_plan plan_;
  bitpq::aligned_buffer<float> memory_;
};

}  // namespace engine
