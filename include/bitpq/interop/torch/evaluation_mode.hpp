// SPDX-License-Identifier: Apache-2.0
#pragma once

// Modes of a network's modules, set for a while.

#include <bitpq/interop/torch/calibration_data.hpp>
#include <bitpq/interop/torch/network_layers.hpp>

#include <torch/nn/modules/batchnorm.h>

namespace bitpq {
inline namespace v1 {
namespace torch {

/// The whole network is in evaluation mode while this lives, and then every module in the mode it was in.
class evaluation_mode {
 public:
  explicit evaluation_mode(::torch::nn::Module& network) {
    for (const auto& module : network.modules()) was_.emplace_back(module, module->is_training());
    network.eval();
  }
  evaluation_mode(const evaluation_mode&) = delete;
  evaluation_mode& operator=(const evaluation_mode&) = delete;
  ~evaluation_mode() {
    for (const auto& [module, training] : was_) module->train(training);  // parents first, for a mode reaches down
  }

 private:
  std::vector<std::pair<std::shared_ptr<::torch::nn::Module>, bool>> was_;
};

namespace detail {

/// While this lives, passes of a network in evaluation mode collect batch norm's statistics anew: each the mean over
/// the batches.
class collecting_norms {
 public:
  explicit collecting_norms(const ::torch::nn::Module& network) {
    for (const auto& module : network.modules(false)) {
      collect(module->as<::torch::nn::BatchNorm1dImpl>());
      collect(module->as<::torch::nn::BatchNorm2dImpl>());
    }
  }
  collecting_norms(const collecting_norms&) = delete;
  collecting_norms& operator=(const collecting_norms&) = delete;
  ~collecting_norms() {
    for (const std::function<void()>& f : undo_) f();
  }
  [[nodiscard]] bool empty() const noexcept { return undo_.empty(); }

 private:
  template <class Norm>
  void collect(Norm* norm) {
    if (norm == nullptr || !norm->options.track_running_stats()) return;
    undo_.push_back([norm, momentum = norm->options.momentum()] {
      norm->options.momentum(momentum);
      norm->eval();
    });
    norm->options.momentum(c10::nullopt);
    norm->reset_running_stats();
    norm->train();
  }
  std::vector<std::function<void()>> undo_;
};

}  // namespace detail

/// Estimates the running statistics of batch norms again, from at most that many batches through a network in
/// evaluation mode. Throws as the batches are checked.
inline void estimate_norms(const ::torch::nn::Module& network, const forward_function& forward,
                           const calibration_data& data, std::size_t batches) {
  if (batches == 0) return;
  const detail::collecting_norms norms(network);
  const at::NoGradGuard no_grad;
  for (std::size_t b = 0; b < (std::min)(batches, data.batches) && !norms.empty(); ++b)
    static_cast<void>(forward(detail::checked_batch(data, b)));
}

}  // namespace torch
}  // namespace v1
}  // namespace bitpq
