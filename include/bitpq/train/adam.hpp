// SPDX-License-Identifier: Apache-2.0
#pragma once

// Adam (Kingma and Ba 2015, algorithm 1) and AdamW (Loshchilov and Hutter 2019, algorithm 2).

#include <bitpq/train/optimizer_state.hpp>

namespace bitpq {
inline namespace v1 {

struct adam_params {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;
  bool decoupled = true;  ///< AdamW: decay shrinks the parameters; else it is added to the gradient

  /// Throws bad_params.
  void validate() const {
    detail::require_below(beta1, 1, "beta1");
    detail::require_below(beta2, 1, "beta2");
    detail::require_below(weight_decay, (std::numeric_limits<double>::infinity)(), "weight decay");
    require(epsilon > 0 && std::isfinite(epsilon), errc::bad_params, "epsilon ", epsilon, " is not positive");
  }
};

/// m = beta1 m + (1 - beta1) g, v = beta2 v + (1 - beta2) g^2; p -= rate m' / (sqrt(v') + epsilon), where m' and v' are
/// m and v without their bias towards 0.
template <scalar T>
class adam {
 public:
  /// For `size` parameters. Throws bad_params.
  explicit adam(std::size_t size, const adam_params& params = {}) : params_(params) {
    params.validate();
    state_.first.resize(size);
    state_.second.resize(size);
  }

  [[nodiscard]] const adam_params& params() const noexcept { return params_; }
  [[nodiscard]] const optimizer_state<T>& state() const noexcept { return state_; }

  /// Continues where another one of the same parameters was. Throws bad_shape, non_finite, or bad_params for a mean of
  /// squares below 0: nothing changed.
  void restore(optimizer_state<T> state) {
    detail::check_state(state.first, state_.first.size(), "first moments");
    detail::check_state(state.second, state_.second.size(), "second moments");
    for (std::size_t i = 0; i < state.second.size(); ++i)
      require(state.second[i] >= 0, errc::bad_params, "second moments hold ", state.second[i], " at ", i);
    state_ = std::move(state);
  }

  /// Moves the parameters; O(size), computed in double and kept in T. Throws bad_shape, bad_params for a rate below 0,
  /// non_finite with the place: nothing changed.
  void step(std::span<T> values, std::span<const T> gradient, double rate) {
    detail::check_step<T>(state_.first.size(), values, gradient, rate);
    const auto steps = static_cast<double>(++state_.steps);
    const double unbiased1 = 1 / (1 - std::pow(params_.beta1, steps));
    const double unbiased2 = 1 / (1 - std::pow(params_.beta2, steps));
    for (std::size_t i = 0; i < values.size(); ++i) {
      auto value = static_cast<double>(values[i]), g = static_cast<double>(gradient[i]);
      if (params_.decoupled)
        value -= rate * params_.weight_decay * value;
      else
        g += params_.weight_decay * value;
      const double first = params_.beta1 * static_cast<double>(state_.first[i]) + (1 - params_.beta1) * g;
      const double second = params_.beta2 * static_cast<double>(state_.second[i]) + (1 - params_.beta2) * g * g;
      state_.first[i] = static_cast<T>(first);
      state_.second[i] = static_cast<T>(second);
      values[i] = static_cast<T>(value - rate * first * unbiased1 / (std::sqrt(second * unbiased2) + params_.epsilon));
    }
  }

 private:
  adam_params params_;
  optimizer_state<T> state_;
};

}  // namespace v1
}  // namespace bitpq
