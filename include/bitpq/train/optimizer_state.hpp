// SPDX-License-Identifier: Apache-2.0
#pragma once

// What an optimiser remembers, as plain arrays: whoever saves them beside the parameters continues to the same bits.

#include <bitpq/core/matrix_view.hpp>

#include <vector>

namespace bitpq {
inline namespace v1 {

/// Arrays have an element per parameter, or none where the optimiser keeps no such thing.
template <scalar T>
struct optimizer_state {
  std::uint64_t steps = 0;
  std::vector<T> first{};   ///< momentum, or the mean of the gradients
  std::vector<T> second{};  ///< the mean of their squares

  friend bool operator==(const optimizer_state&, const optimizer_state&) = default;
};

namespace detail {

/// Throws bad_params unless 0 <= value < limit.
inline void require_below(double value, double limit, const char* what) {
  require(value >= 0 && value < limit, errc::bad_params, what, ' ', value, " is outside 0 .. ", limit);
}

/// Throws unless a step by that gradient is one of these parameters; they are then as they were.
template <scalar T>
void check_step(std::size_t size, std::span<const T> values, std::span<const T> gradient, double rate) {
  require(values.size() == size && gradient.size() == size, errc::bad_shape, "a step of ", values.size(),
          " parameters by a gradient of ", gradient.size(), " with an optimizer of ", size);
  require_below(rate, (std::numeric_limits<double>::infinity)(), "learning rate");
  require_finite(values, "parameters");
  require_finite(gradient, "gradient");
}

/// Throws bad_shape or non_finite unless `values` are `size` finite numbers.
template <scalar T>
void check_state(const std::vector<T>& values, std::size_t size, const char* what) {
  require(values.size() == size, errc::bad_shape, what, " of ", values.size(), " parameters for an optimizer of ",
          size);
  require_finite(std::span<const T>(values), what);
}

}  // namespace detail
}  // namespace v1
}  // namespace bitpq
