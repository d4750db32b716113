// SPDX-License-Identifier: Apache-2.0
#pragma once

// Adds up the lanes of many vectors at once, where an instruction set has shuffles for it.

#include <bitpq/kernel/simd.hpp>

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

namespace bitpq {
inline namespace v1 {
namespace detail {

/// Where `quick`: add(v, to) adds the sum of the lanes of each v[i][w] to to[i][w], Width being a multiple of four.
template <scalar T, class Arch>
struct lane_sums {
  static constexpr bool quick = false;
};

#if defined(__AVX512F__)
struct avx512_lane_sums {
  static constexpr bool quick = true;

  template <std::size_t Codes, std::size_t Width, class Vector>
  static BITPQ_FORCE_INLINE void add(const Vector (&v)[Codes][Width], float* const (&to)[Codes]) noexcept {
    static_assert(Width % 4 == 0);
    constexpr std::size_t fours = Codes * Width / 4;
    BITPQ_UNROLL
    for (std::size_t i = 0; i < fours; i += 4) {
      __m512 part[4];
      BITPQ_UNROLL
      for (std::size_t q = 0; q < 4; ++q) {
        const std::size_t at = i + q < fours ? i + q : i, code = at * 4 / Width, w = at * 4 % Width;
        part[q] = i + q < fours ? of_four(v[code][w], v[code][w + 1], v[code][w + 2], v[code][w + 3]) : part[0];
      }
      const __m512 sums = of_parts(part);
      const __m128 quarter[4] = {_mm512_castps512_ps128(sums), _mm512_extractf32x4_ps(sums, 1),
                                 _mm512_extractf32x4_ps(sums, 2), _mm512_extractf32x4_ps(sums, 3)};
      BITPQ_UNROLL
      for (std::size_t q = 0; q < 4 && i + q < fours; ++q) {
        float* const p = to[(i + q) * 4 / Width] + (i + q) * 4 % Width;
        _mm_storeu_ps(p, _mm_add_ps(_mm_loadu_ps(p), quarter[q]));
      }
    }
  }

 private:
  /// Lane 4 l + i: part l of the sum of vector i.
  static BITPQ_FORCE_INLINE __m512 of_four(__m512 a, __m512 b, __m512 c, __m512 d) noexcept {
    const __m512 ab = _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
    const __m512 cd = _mm512_add_ps(_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
    return _mm512_add_ps(_mm512_shuffle_ps(ab, cd, 0x44), _mm512_shuffle_ps(ab, cd, 0xee));
  }
  /// Quarter i: the sum of the quarters of vector i.
  static BITPQ_FORCE_INLINE __m512 of_parts(const __m512 (&v)[4]) noexcept {
    const __m512 low = halves(v[0], v[1]), high = halves(v[2], v[3]);
    return halves(low, high);
  }
  static BITPQ_FORCE_INLINE __m512 halves(__m512 a, __m512 b) noexcept {
    return _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x88), _mm512_shuffle_f32x4(a, b, 0xdd));
  }
};
template <>
struct lane_sums<float, arch_of<isa::avx512>::type> : avx512_lane_sums {};
template <>
struct lane_sums<float, avx512vnni_arch> : avx512_lane_sums {};
#endif

}  // namespace detail
}  // namespace v1
}  // namespace bitpq
