// SPDX-License-Identifier: Apache-2.0
#pragma once

// IEEE 754 binary16 as 16 bits of storage. Conversions are in software: codebooks are small, and the result must not
// depend on the machine.

#include <bit>
#include <cstdint>

namespace bitpq {
inline namespace v1 {

/// The largest finite binary16 number.
inline constexpr float half_max = 65504.0F;

/// Rounds to nearest, ties to even; beyond half_max to infinity; NaN stays NaN.
constexpr std::uint16_t half_from_float(float value) noexcept {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>((bits >> 16) & 0x8000U);
  const std::uint32_t magnitude = bits & 0x7FFFFFFFU;
  if (magnitude > 0x7F800000U) return static_cast<std::uint16_t>(sign | 0x7E00U);   // NaN
  if (magnitude >= 0x477FF000U) return static_cast<std::uint16_t>(sign | 0x7C00U);  // rounds past 65504
  if (magnitude < 0x33000001U) return sign;                                         // at most half the least subnormal
  const int exponent = static_cast<int>(magnitude >> 23) - 127;
  const std::uint32_t mantissa = (magnitude & 0x7FFFFFU) | 0x800000U;
  // A normal half keeps 10 fraction bits; a subnormal one loses a bit more per power of two below 2^-14.
  const int shift = exponent >= -14 ? 13 : 13 + (-14 - exponent);
  const std::uint32_t kept = mantissa >> shift;
  const std::uint32_t rest = mantissa & ((1U << shift) - 1U);
  const std::uint32_t half_way = 1U << (shift - 1);
  const std::uint32_t rounded = kept + ((rest > half_way || (rest == half_way && (kept & 1U) != 0)) ? 1U : 0U);
  // The hidden bit carries into the exponent field, as does rounding up to the next power of two.
  const std::uint32_t base = exponent >= -14 ? static_cast<std::uint32_t>(exponent + 14) << 10 : 0U;
  return static_cast<std::uint16_t>(sign | (base + rounded));
}

/// As half_from_float, and rounded once: by way of the nearest float, a number just beside a tie would become one.
constexpr std::uint16_t half_from_double(double value) noexcept {
  const auto narrow = static_cast<float>(value);
  const auto back = static_cast<double>(narrow);
  std::uint32_t bits = std::bit_cast<std::uint32_t>(narrow);
  // An inexact float that is made odd is no tie of binary16 and lies on the same side of one as the value.
  if (back != value && value == value && (bits & 1U) == 0) {
    const bool outwards = (value < 0 ? -value : value) > (back < 0 ? -back : back);
    bits = outwards ? bits + 1U : bits - 1U;
  }
  return half_from_float(std::bit_cast<float>(bits));
}

/// Exact.
constexpr float half_to_float(std::uint16_t half) noexcept {
  const std::uint32_t sign = (static_cast<std::uint32_t>(half) & 0x8000U) << 16;
  const std::uint32_t exponent = (static_cast<std::uint32_t>(half) >> 10) & 0x1FU;
  const std::uint32_t mantissa = static_cast<std::uint32_t>(half) & 0x3FFU;
  if (exponent == 0x1FU) return std::bit_cast<float>(sign | 0x7F800000U | (mantissa << 13));
  if (exponent != 0) return std::bit_cast<float>(sign | ((exponent + 112U) << 23) | (mantissa << 13));
  const float magnitude = static_cast<float>(mantissa) * 0x1.0p-24F;  // zero and subnormals: multiples of 2^-24
  return sign != 0 ? -magnitude : magnitude;
}

}  // namespace v1
}  // namespace bitpq
