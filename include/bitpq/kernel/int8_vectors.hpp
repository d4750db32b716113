// SPDX-License-Identifier: Apache-2.0
#pragma once

// What 8-bit kernels know of an instruction set; int8_x86.hpp and int8_neon.hpp specialise it. The version here runs
// one column at a time and is the oracle of the rest: from the same activations and codewords all come to the same
// bits.
//
//   lanes               columns of a vector, as many as of floats
//   group               elements of a word, of 32 / group bits each
//   subtrahend          what packing takes from bytes
//   dot(sum, x, w)      sum + the products of the elements of two words, modulo 2^32
//   pack(rows, i, dst)  the words of columns i .. i + lanes, from `group` rows of bytes
//   quantize            round(x * inverse) + zero, halves to even, of `lanes` floats; 0 to 255 unless x is no number
//   dequantize          (sum - (zero - subtrahend) * weights) * scale of `lanes` sums

#include <bitpq/kernel/simd.hpp>

#include <cmath>

namespace bitpq {
inline namespace v1 {

template <class Arch>
struct int8_vectors;

template <>
struct int8_vectors<scalar_arch> {
  static constexpr std::size_t lanes = 1, group = 2;
  static constexpr std::int32_t subtrahend = 0;
  using vec = std::uint32_t;
  using floats = float;

  static BITPQ_FORCE_INLINE vec load(const std::uint32_t* p) noexcept { return *p; }
  static BITPQ_FORCE_INLINE vec load(const std::int32_t* p) noexcept { return static_cast<vec>(*p); }
  static BITPQ_FORCE_INLINE void store(std::int32_t* p, vec v) noexcept { *p = static_cast<std::int32_t>(v); }
  static BITPQ_FORCE_INLINE vec set(std::uint32_t v) noexcept { return v; }
  static BITPQ_FORCE_INLINE vec dot(vec sum, vec x, vec w) noexcept {
    return sum + static_cast<vec>(element(x) * element(w) + element(x >> 16) * element(w >> 16));
  }

  static BITPQ_FORCE_INLINE void pack(const std::uint8_t* const* rows, std::size_t i, std::uint32_t* dst) noexcept {
    *dst = static_cast<vec>(rows[0][i]) | static_cast<vec>(rows[1][i]) << 16;
  }
  static BITPQ_FORCE_INLINE floats load(const float* p) noexcept { return *p; }
  static BITPQ_FORCE_INLINE floats set(float v) noexcept { return v; }
  static BITPQ_FORCE_INLINE void quantize(const float* x, floats inverse, vec zero, std::uint8_t* dst) noexcept {
    const float q = std::nearbyint(*x * inverse);
    *dst = q >= -255.0F && q <= 255.0F
               ? static_cast<std::uint8_t>(static_cast<std::int32_t>(q) + static_cast<std::int32_t>(zero))
               : std::uint8_t{0};
  }
  static BITPQ_FORCE_INLINE void dequantize(vec sum, vec zero, vec weights, floats scale, float* dst) noexcept {
    *dst = static_cast<float>(static_cast<std::int32_t>(sum - zero * weights)) * scale;
  }

 private:
  static BITPQ_FORCE_INLINE std::int32_t element(vec v) noexcept { return static_cast<std::int16_t>(v); }
};

}  // namespace v1
}  // namespace bitpq
