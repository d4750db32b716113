// SPDX-License-Identifier: Apache-2.0
#pragma once

// One step on the codewords of some layers: all of it or, when anything of it is no number or has no sensible size,
// nothing.

#include <bitpq/train/detail/student.hpp>

namespace bitpq {
inline namespace v1 {
namespace detail {

/// Layers that are tuned together.
struct tuning_phase {
  std::span<const std::size_t> layers;
  const tuning_params& how;
  std::uint64_t first;  ///< the number of its first step among all of them
};

template <trainable_network N>
class tuning_step {
  using T = network_scalar<N>;

 public:
  tuning_step(N& net, const network_plan& plan, std::vector<student_layer<T>>& layers, executor_ref exec)
      : net_(net), plan_(plan), layers_(layers), exec_(exec) {}

  /// Step report.steps of the phase. Returns the loss before it. Before the last returns, the loss after it is taken.
  double operator()(const tuning_phase& phase, tuning_report& report) {
    const std::uint64_t step = phase.first + report.steps;
    std::vector<std::vector<T>> gradients(phase.layers.size());
    const double loss = loss_of(step, phase.layers, gradients);
    const double rate = phase.how.rate(report.steps);
    std::vector<tuned_layer<T>> next;
    for (std::size_t k = 0; k < phase.layers.size(); ++k)
      in_context([&] { next.push_back(codes(phase, k).stepped(gradients[k], rate)); }, "codewords of '", name(phase, k),
                 "'");
    const std::size_t moved = refresh(phase, report.steps + 1, next);
    for (std::size_t k = 0; k < phase.layers.size(); ++k) {
      net_.set_weights(phase.layers[k], next[k].weights());
      codes(phase, k) = std::move(next[k]);
    }
    if constexpr (self_training_network<N>) net_.end_step(step, rate);
    if (report.steps == 0) report.loss_before = loss;
    report.moved += moved;
    if (++report.steps == phase.how.steps) report.loss_after = loss_of(phase.first, {}, {});
    return loss;
  }

 private:
  [[nodiscard]] tuned_layer<T>& codes(const tuning_phase& phase, std::size_t k) const {
    return layers_[phase.layers[k]].codes;
  }
  [[nodiscard]] const std::string& name(const tuning_phase& phase, std::size_t k) const {
    return plan_.layers[phase.layers[k]].name;
  }

  double loss_of(std::uint64_t step, std::span<const std::size_t> which, std::span<std::vector<T>> gradients) {
    const double loss = net_.training_step(step, which, gradients);
    require(std::isfinite(loss), errc::non_finite, "the loss is ", loss);
    return loss;
  }

  /// Moves codes after every so many steps; returns how many.
  std::size_t refresh(const tuning_phase& phase, std::size_t steps, std::vector<tuned_layer<T>>& next) {
    std::size_t moved = 0;
    if constexpr (refreshable_network<N>)
      if (phase.how.refresh_every > 0 && steps % phase.how.refresh_every == 0)
        for (std::size_t k = 0; k < next.size(); ++k)
          moved += in_context([&] { return next[k].refresh(net_.weight_gradient(phase.layers[k]), phase.how, exec_); },
                              "codes of '", name(phase, k), "'");
    return moved;
  }

  N& net_;
  const network_plan& plan_;
  std::vector<student_layer<T>>& layers_;
  executor_ref exec_;
};

}  // namespace detail
}  // namespace v1
}  // namespace bitpq
