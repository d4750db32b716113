// SPDX-License-Identifier: Apache-2.0
#pragma once

// Stochastic gradient descent with momentum, as PyTorch's torch.optim.SGD computes it.

#include <bitpq/train/optimizer_state.hpp>

namespace bitpq {
inline namespace v1 {

struct sgd_params {
  double momentum = 0;
  double weight_decay = 0;  ///< added to the gradient times the parameter
  bool nesterov = false;

  /// Throws bad_params.
  void validate() const {
    detail::require_below(momentum, 1, "momentum");
    detail::require_below(weight_decay, (std::numeric_limits<double>::infinity)(), "weight decay");
    require(!nesterov || momentum > 0, errc::bad_params, "Nesterov's step without momentum");
  }
};

/// g = gradient + weight_decay p; m = momentum m + g; p -= rate m, or rate (g + momentum m) with nesterov.
template <scalar T>
class sgd {
 public:
  /// For `size` parameters. Throws bad_params.
  explicit sgd(std::size_t size, const sgd_params& params = {}) : size_(size), params_(params) {
    params.validate();
    if (params.momentum > 0) state_.first.resize(size);
  }

  [[nodiscard]] const sgd_params& params() const noexcept { return params_; }
  [[nodiscard]] const optimizer_state<T>& state() const noexcept { return state_; }

  /// Continues where another one of the same parameters was. Throws bad_shape or non_finite, nothing changed.
  void restore(optimizer_state<T> state) {
    detail::check_state(state.first, params_.momentum > 0 ? size_ : 0, "momentum");
    detail::check_state(state.second, 0, "second moments");
    state_ = std::move(state);
  }

  /// Moves the parameters; O(size), computed in double and kept in T. Throws bad_shape, bad_params for a rate below 0,
  /// non_finite with the place: nothing changed.
  void step(std::span<T> values, std::span<const T> gradient, double rate) {
    detail::check_step<T>(size_, values, gradient, rate);
    for (std::size_t i = 0; i < size_; ++i) {
      const auto value = static_cast<double>(values[i]);
      double direction = static_cast<double>(gradient[i]) + params_.weight_decay * value;
      if (params_.momentum > 0) {
        const double moment = params_.momentum * static_cast<double>(state_.first[i]) + direction;
        state_.first[i] = static_cast<T>(moment);
        direction = params_.nesterov ? direction + params_.momentum * moment : moment;
      }
      values[i] = static_cast<T>(value - rate * direction);
    }
    ++state_.steps;
  }

 private:
  std::size_t size_;
  sgd_params params_;
  optimizer_state<T> state_;
};

}  // namespace v1
}  // namespace bitpq
