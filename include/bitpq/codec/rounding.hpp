// SPDX-License-Identifier: Apache-2.0
#pragma once

// Numbers as files hold them. Everything a compressed matrix stores is rounded when it is given, so that what a program
// runs is bit for bit what its file holds.

#include <bitpq/codec/code_format.hpp>
#include <bitpq/core/half.hpp>

#include <cmath>

namespace bitpq {
inline namespace v1 {
namespace detail {

/// `v` rounded to f64, f32 or f16 (to nearest even) and back. Throws non_finite beyond the range of that type, with
/// what holds `v` and at which index. i8 needs a scale and is left to codebooks.
template <scalar T>
[[nodiscard]] T rounded_to(codeword_type type, T v, const char* what, std::size_t i) {
  if (type == codeword_type::f32) {
    const auto narrow = static_cast<float>(v);
    require(std::isfinite(narrow), errc::non_finite, what, " holds ", v, " at ", i, ", beyond fp32's range");
    return static_cast<T>(narrow);
  }
  if (type == codeword_type::f16) {
    const float half = half_to_float(half_from_double(static_cast<double>(v)));
    require(std::isfinite(half), errc::non_finite, what, " holds ", v, " at ", i, ", beyond fp16's range of ",
            half_max);
    return static_cast<T>(half);
  }
  return v;
}

}  // namespace detail
}  // namespace v1
}  // namespace bitpq
