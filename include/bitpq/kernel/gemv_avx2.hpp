// SPDX-License-Identifier: Apache-2.0
#pragma once

// Byte shuffles of AVX2 for look-ups among 16 entries.

#include <bitpq/kernel/gemv_tables.hpp>

#if defined(__AVX2__)
#include <immintrin.h>

namespace bitpq {
inline namespace v1 {
namespace detail {

template <class Arch>
struct avx2_bytes {
  using vec = __m256i;
  static constexpr std::size_t size = 32;

  static BITPQ_FORCE_INLINE vec zero() noexcept { return _mm256_setzero_si256(); }
  static BITPQ_FORCE_INLINE vec load(const std::uint8_t* p) noexcept {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  }
  static BITPQ_FORCE_INLINE void store(void* p, vec v) noexcept { _mm256_storeu_si256(static_cast<__m256i*>(p), v); }
  static BITPQ_FORCE_INLINE vec table(const std::uint8_t* p) noexcept {
    return _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  static BITPQ_FORCE_INLINE vec look_up(vec table, vec codes) noexcept { return _mm256_shuffle_epi8(table, codes); }
  static BITPQ_FORCE_INLINE vec add_words(vec a, vec b) noexcept { return _mm256_add_epi16(a, b); }
  static BITPQ_FORCE_INLINE vec high_bytes(vec v) noexcept { return _mm256_srli_epi16(v, 8); }
  static BITPQ_FORCE_INLINE vec add_floats(vec a, vec b) noexcept {
    return _mm256_castps_si256(_mm256_add_ps(_mm256_castsi256_ps(a), _mm256_castsi256_ps(b)));
  }
  static BITPQ_FORCE_INLINE vec zip_low_bytes(vec a, vec b) noexcept { return _mm256_unpacklo_epi8(a, b); }
  static BITPQ_FORCE_INLINE vec zip_high_bytes(vec a, vec b) noexcept { return _mm256_unpackhi_epi8(a, b); }
  static BITPQ_FORCE_INLINE vec zip_low_words(vec a, vec b) noexcept { return _mm256_unpacklo_epi16(a, b); }
  static BITPQ_FORCE_INLINE vec zip_high_words(vec a, vec b) noexcept { return _mm256_unpackhi_epi16(a, b); }
};

}  // namespace detail
}  // namespace v1
}  // namespace bitpq
#endif
