// SPDX-License-Identifier: Apache-2.0
#pragma once

// Learning rates as functions of the step alone, so that nothing of them needs to be saved.

#include <bitpq/core/concepts.hpp>

#include <algorithm>
#include <numbers>

namespace bitpq {
inline namespace v1 {

namespace detail {
inline void require_rate(double rate, const char* what) {
  require(rate >= 0 && std::isfinite(rate), errc::bad_params, what, ' ', rate, " is not a finite number >= 0");
}
}  // namespace detail

/// rate, times `factor` after every `every` steps.
struct step_schedule {
  double rate;
  std::size_t every;
  double factor = 0.1;

  /// Of step 0, 1, ... Throws bad_params for a rate or factor below 0, or `every` of 0.
  [[nodiscard]] double operator()(std::size_t step) const {
    detail::require_rate(rate, "learning rate");
    detail::require_rate(factor, "factor");
    require(every > 0, errc::bad_params, "a learning rate that changes every 0 steps");
    const std::size_t changes = step / every;
    return rate * std::pow(factor, static_cast<double>(changes));
  }
};

/// Rises from rate / (warmup + 1) to rate in `warmup` steps, then falls to `least` along half a cosine, where it stays
/// from step `steps` on (Loshchilov and Hutter 2017, equation 5, without restarts).
struct cosine_schedule {
  double rate;
  std::size_t steps;
  double least = 0;
  std::size_t warmup = 0;

  /// Of step 0, 1, ... Throws bad_params for a rate below 0 or no step after the warm-up.
  [[nodiscard]] double operator()(std::size_t step) const {
    detail::require_rate(rate, "learning rate");
    detail::require_rate(least, "least learning rate");
    require(steps > warmup, errc::bad_params, "a schedule of ", steps, " steps, ", warmup, " of them to warm up");
    if (step < warmup) return rate * static_cast<double>(step + 1) / static_cast<double>(warmup + 1);
    const double done = (std::min)(1.0, static_cast<double>(step - warmup) / static_cast<double>(steps - warmup));
    return least + (rate - least) * (1 + std::cos(std::numbers::pi * done)) / 2;
  }
};

}  // namespace v1
}  // namespace bitpq
