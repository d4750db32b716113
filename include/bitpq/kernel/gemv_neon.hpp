// SPDX-License-Identifier: Apache-2.0
#pragma once

// Byte shuffles of 64-bit ARM for look-ups among 16 entries.

#include <bitpq/kernel/gemv_tables.hpp>

#if defined(__aarch64__)
#include <arm_neon.h>

namespace bitpq {
inline namespace v1 {
namespace detail {

template <class Arch>
struct neon_bytes {
  using vec = uint8x16_t;
  static constexpr std::size_t size = 16;

  static BITPQ_FORCE_INLINE vec zero() noexcept { return vdupq_n_u8(0); }
  static BITPQ_FORCE_INLINE vec load(const std::uint8_t* p) noexcept { return vld1q_u8(p); }
  static BITPQ_FORCE_INLINE void store(void* p, vec v) noexcept { vst1q_u8(static_cast<std::uint8_t*>(p), v); }
  static BITPQ_FORCE_INLINE vec table(const std::uint8_t* p) noexcept { return vld1q_u8(p); }
  static BITPQ_FORCE_INLINE vec look_up(vec table, vec codes) noexcept { return vqtbl1q_u8(table, codes); }
  static BITPQ_FORCE_INLINE vec add_words(vec a, vec b) noexcept {
    return vreinterpretq_u8_u16(vaddq_u16(vreinterpretq_u16_u8(a), vreinterpretq_u16_u8(b)));
  }
  static BITPQ_FORCE_INLINE vec high_bytes(vec v) noexcept {
    return vreinterpretq_u8_u16(vshrq_n_u16(vreinterpretq_u16_u8(v), 8));
  }
  static BITPQ_FORCE_INLINE vec add_floats(vec a, vec b) noexcept {
    return vreinterpretq_u8_f32(vaddq_f32(vreinterpretq_f32_u8(a), vreinterpretq_f32_u8(b)));
  }
  static BITPQ_FORCE_INLINE vec zip_low_bytes(vec a, vec b) noexcept { return vzip1q_u8(a, b); }
  static BITPQ_FORCE_INLINE vec zip_high_bytes(vec a, vec b) noexcept { return vzip2q_u8(a, b); }
  static BITPQ_FORCE_INLINE vec zip_low_words(vec a, vec b) noexcept {
    return vreinterpretq_u8_u16(vzip1q_u16(vreinterpretq_u16_u8(a), vreinterpretq_u16_u8(b)));
  }
  static BITPQ_FORCE_INLINE vec zip_high_words(vec a, vec b) noexcept {
    return vreinterpretq_u8_u16(vzip2q_u16(vreinterpretq_u16_u8(a), vreinterpretq_u16_u8(b)));
  }
};

}  // namespace detail
}  // namespace v1
}  // namespace bitpq
#endif
