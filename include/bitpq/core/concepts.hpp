// SPDX-License-Identifier: Apache-2.0
#pragma once

// Concepts and small arithmetic shared by every floor.

#include <bitpq/core/error.hpp>

#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace bitpq {
inline namespace v1 {

/// The types weights and activations are computed in.
template <class T>
concept scalar = std::same_as<T, float> || std::same_as<T, double>;

/// Marks a block size that is known at run time only.
inline constexpr int dynamic = -1;

/// ceil(a / b) for b > 0.
constexpr std::size_t ceil_div(std::size_t a, std::size_t b) noexcept { return a / b + (a % b != 0 ? 1 : 0); }

/// The smallest multiple of `step` that is >= a.
constexpr std::size_t round_up(std::size_t a, std::size_t step) noexcept { return ceil_div(a, step) * step; }

/// a * b, or errc::bad_shape when the product does not fit; `what` names it in the error.
inline std::size_t checked_product(std::size_t a, std::size_t b, const char* what) {
  require(b == 0 || a <= (std::numeric_limits<std::size_t>::max)() / b, errc::bad_shape, what, ": ", a, " x ", b,
          " overflows");
  return a * b;
}

}  // namespace v1
}  // namespace bitpq
