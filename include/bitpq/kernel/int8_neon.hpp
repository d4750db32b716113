// SPDX-License-Identifier: Apache-2.0
#pragma once

// 8-bit products on 64-bit ARM: one instruction where the compiler may use the dot products of ARMv8.2, else multiplied
// to 16 bits, where two products always fit, and added up in pairs. Both operands are signed: packing takes 128 from
// activations.

#include <bitpq/kernel/int8_vectors.hpp>

#if defined(__aarch64__)
#include <arm_neon.h>

#include <cstring>

namespace bitpq {
inline namespace v1 {

template <>
struct int8_vectors<arch_of<isa::neon64>::type> {
  static constexpr std::size_t lanes = 4, group = 4;
  static constexpr std::int32_t subtrahend = 128;
  using vec = int32x4_t;
  using floats = float32x4_t;

  static BITPQ_FORCE_INLINE vec load(const std::int32_t* p) noexcept { return vld1q_s32(p); }
  static BITPQ_FORCE_INLINE vec load(const std::uint32_t* p) noexcept { return vreinterpretq_s32_u32(vld1q_u32(p)); }
  static BITPQ_FORCE_INLINE void store(std::int32_t* p, vec v) noexcept { vst1q_s32(p, v); }
  static BITPQ_FORCE_INLINE vec set(std::uint32_t v) noexcept { return vreinterpretq_s32_u32(vdupq_n_u32(v)); }
  static BITPQ_FORCE_INLINE vec dot(vec sum, vec x, vec w) noexcept {
    const int8x16_t a = vreinterpretq_s8_s32(x), b = vreinterpretq_s8_s32(w);
#if defined(__ARM_FEATURE_DOTPROD)
    return vdotq_s32(sum, a, b);
#else
    return vpadalq_s16(sum, vpaddq_s16(vmull_s8(vget_low_s8(a), vget_low_s8(b)), vmull_high_s8(a, b)));
#endif
  }

  static BITPQ_FORCE_INLINE void pack(const std::uint8_t* const* rows, std::size_t i, std::uint32_t* dst) noexcept {
    const uint8x8_t even = vzip1_u8(row(rows[0] + i), row(rows[2] + i)),
                    odd = vzip1_u8(row(rows[1] + i), row(rows[3] + i));
    const uint8x16_t columns = vcombine_u8(vzip1_u8(even, odd), vzip2_u8(even, odd));
    vst1q_u32(dst, vreinterpretq_u32_u8(veorq_u8(columns, vdupq_n_u8(128))));
  }
  static BITPQ_FORCE_INLINE floats load(const float* p) noexcept { return vld1q_f32(p); }
  static BITPQ_FORCE_INLINE floats set(float v) noexcept { return vdupq_n_f32(v); }
  static BITPQ_FORCE_INLINE void quantize(const float* x, floats inverse, vec zero, std::uint8_t* dst) noexcept {
    const int16x4_t q = vqmovn_s32(vaddq_s32(vcvtnq_s32_f32(vmulq_f32(load(x), inverse)), zero));
    const uint32x2_t bytes = vreinterpret_u32_u8(vqmovun_s16(vcombine_s16(q, q)));
    const std::uint32_t four = vget_lane_u32(bytes, 0);
    std::memcpy(dst, &four, lanes);
  }
  static BITPQ_FORCE_INLINE void dequantize(vec sum, vec zero, vec weights, floats scale, float* dst) noexcept {
    const vec rest = vmlsq_s32(sum, vsubq_s32(zero, vdupq_n_s32(subtrahend)), weights);
    vst1q_f32(dst, vmulq_f32(vcvtq_f32_s32(rest), scale));
  }

 private:
  static BITPQ_FORCE_INLINE uint8x8_t row(const std::uint8_t* p) noexcept {
    std::uint32_t four = 0;
    std::memcpy(&four, p, lanes);
    return vreinterpret_u8_u32(vdup_n_u32(four));
  }
};

}  // namespace v1
}  // namespace bitpq

#endif
