// SPDX-License-Identifier: Apache-2.0
#pragma once

// How lanes of two vectors change places, and the portable version of it. xsimd 8's zip_lo and zip_hi interleave the
// 128-bit parts of wider vectors one by one, later versions whole vectors, so the wide ones are written out here.

#include <bitpq/kernel/simd.hpp>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace bitpq {
inline namespace v1 {
namespace detail {

/// Of vectors a and b one after the other, even and odd: every second element from the first, or second, on; zip: a[0],
/// b[0], a[1], ... as two vectors; next: a[1], a[2], ..., and `last`. Portable: through memory.
template <scalar T, class Arch>
struct lane_moves {
  using s = simd<T, Arch>;
  using vec = typename s::vec;

  static BITPQ_FORCE_INLINE vec even(const vec& a, const vec& b) noexcept { return every_second(a, b, 0); }
  static BITPQ_FORCE_INLINE vec odd(const vec& a, const vec& b) noexcept { return every_second(a, b, 1); }
  static BITPQ_FORCE_INLINE void zip(const vec& a, const vec& b, vec& low, vec& high) noexcept {
    T from[2][s::size], to[2 * s::size];
    s::store(from[0], a);
    s::store(from[1], b);
    BITPQ_UNROLL
    for (std::size_t i = 0; i < 2 * s::size; ++i) to[i] = from[i % 2][i / 2];
    low = s::load(to);
    high = s::load(to + s::size);
  }
  static BITPQ_FORCE_INLINE vec next(const vec& a, T last) noexcept {
    T lanes[s::size + 1];
    s::store(lanes, a);
    lanes[s::size] = last;
    return s::load(lanes + 1);
  }

 private:
  static BITPQ_FORCE_INLINE vec every_second(const vec& a, const vec& b, std::size_t first) noexcept {
    T from[2 * s::size], to[s::size];
    s::store(from, a);
    s::store(from + s::size, b);
    BITPQ_UNROLL
    for (std::size_t i = 0; i < s::size; ++i) to[i] = from[2 * i + first];
    return s::load(to);
  }
};

#if defined(__SSE2__)
template <>
struct lane_moves<float, arch_of<isa::sse2>::type> {
  using vec = simd<float, arch_of<isa::sse2>::type>::vec;
  static BITPQ_FORCE_INLINE vec even(__m128 a, __m128 b) noexcept { return _mm_shuffle_ps(a, b, 0x88); }
  static BITPQ_FORCE_INLINE vec odd(__m128 a, __m128 b) noexcept { return _mm_shuffle_ps(a, b, 0xDD); }
  static BITPQ_FORCE_INLINE void zip(__m128 a, __m128 b, vec& low, vec& high) noexcept {
    low = _mm_unpacklo_ps(a, b);
    high = _mm_unpackhi_ps(a, b);
  }
  static BITPQ_FORCE_INLINE vec next(__m128 a, float last) noexcept {
    const __m128 mixed = _mm_move_ss(a, _mm_set_ss(last));
    return _mm_shuffle_ps(mixed, mixed, 0x39);
  }
};
template <>
struct lane_moves<float, narrow_x86_arch> : lane_moves<float, arch_of<isa::sse2>::type> {};
template <>
struct lane_moves<double, arch_of<isa::sse2>::type> {
  using vec = simd<double, arch_of<isa::sse2>::type>::vec;
  static BITPQ_FORCE_INLINE vec even(__m128d a, __m128d b) noexcept { return _mm_unpacklo_pd(a, b); }
  static BITPQ_FORCE_INLINE vec odd(__m128d a, __m128d b) noexcept { return _mm_unpackhi_pd(a, b); }
  static BITPQ_FORCE_INLINE void zip(__m128d a, __m128d b, vec& low, vec& high) noexcept {
    low = _mm_unpacklo_pd(a, b);
    high = _mm_unpackhi_pd(a, b);
  }
  static BITPQ_FORCE_INLINE vec next(__m128d a, double last) noexcept {
    return _mm_shuffle_pd(a, _mm_set1_pd(last), 0x1);
  }
};
#endif

#if defined(__AVX2__)
template <>
struct lane_moves<float, arch_of<isa::avx2>::type> {
  using vec = simd<float, arch_of<isa::avx2>::type>::vec;
  static BITPQ_FORCE_INLINE vec even(__m256 a, __m256 b) noexcept { return by_halves(_mm256_shuffle_ps(a, b, 0x88)); }
  static BITPQ_FORCE_INLINE vec odd(__m256 a, __m256 b) noexcept { return by_halves(_mm256_shuffle_ps(a, b, 0xDD)); }
  static BITPQ_FORCE_INLINE void zip(__m256 a, __m256 b, vec& low, vec& high) noexcept {
    const __m256 first = _mm256_unpacklo_ps(a, b), second = _mm256_unpackhi_ps(a, b);
    low = _mm256_permute2f128_ps(first, second, 0x20);
    high = _mm256_permute2f128_ps(first, second, 0x31);
  }
  static BITPQ_FORCE_INLINE vec next(__m256 a, float last) noexcept {
    const __m256 turned = _mm256_permutevar8x32_ps(a, _mm256_setr_epi32(1, 2, 3, 4, 5, 6, 7, 0));
    return _mm256_blend_ps(turned, _mm256_set1_ps(last), 0x80);
  }

 private:
  /// Pairs 0, 2, 1, 3.
  static BITPQ_FORCE_INLINE __m256 by_halves(__m256 mixed) noexcept {
    return _mm256_castpd_ps(_mm256_permute4x64_pd(_mm256_castps_pd(mixed), 0xD8));
  }
};
template <>
struct lane_moves<double, arch_of<isa::avx2>::type> {
  using vec = simd<double, arch_of<isa::avx2>::type>::vec;
  static BITPQ_FORCE_INLINE vec even(__m256d a, __m256d b) noexcept {
    return _mm256_permute4x64_pd(_mm256_unpacklo_pd(a, b), 0xD8);
  }
  static BITPQ_FORCE_INLINE vec odd(__m256d a, __m256d b) noexcept {
    return _mm256_permute4x64_pd(_mm256_unpackhi_pd(a, b), 0xD8);
  }
  static BITPQ_FORCE_INLINE void zip(__m256d a, __m256d b, vec& low, vec& high) noexcept {
    const __m256d first = _mm256_unpacklo_pd(a, b), second = _mm256_unpackhi_pd(a, b);
    low = _mm256_permute2f128_pd(first, second, 0x20);
    high = _mm256_permute2f128_pd(first, second, 0x31);
  }
  static BITPQ_FORCE_INLINE vec next(__m256d a, double last) noexcept {
    return _mm256_blend_pd(_mm256_permute4x64_pd(a, 0x39), _mm256_set1_pd(last), 0x8);
  }
};
#endif

#if defined(__AVX512F__)
template <>
struct lane_moves<float, arch_of<isa::avx512>::type> {
  using vec = simd<float, arch_of<isa::avx512>::type>::vec;
  static BITPQ_FORCE_INLINE vec even(__m512 a, __m512 b) noexcept {
    const __m512i lanes = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    return _mm512_permutex2var_ps(a, lanes, b);
  }
  static BITPQ_FORCE_INLINE vec odd(__m512 a, __m512 b) noexcept {
    const __m512i lanes = _mm512_setr_epi32(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
    return _mm512_permutex2var_ps(a, lanes, b);
  }
  static BITPQ_FORCE_INLINE void zip(__m512 a, __m512 b, vec& low, vec& high) noexcept {
    const __m512i front = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    const __m512i back = _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    low = _mm512_permutex2var_ps(a, front, b);
    high = _mm512_permutex2var_ps(a, back, b);
  }
  static BITPQ_FORCE_INLINE vec next(__m512 a, float last) noexcept {
    const __m512i lanes = _mm512_setr_epi32(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16);
    return _mm512_permutex2var_ps(a, lanes, _mm512_set1_ps(last));
  }
};
template <>
struct lane_moves<double, arch_of<isa::avx512>::type> {
  using vec = simd<double, arch_of<isa::avx512>::type>::vec;
  static BITPQ_FORCE_INLINE vec even(__m512d a, __m512d b) noexcept {
    return _mm512_permutex2var_pd(a, _mm512_setr_epi64(0, 2, 4, 6, 8, 10, 12, 14), b);
  }
  static BITPQ_FORCE_INLINE vec odd(__m512d a, __m512d b) noexcept {
    return _mm512_permutex2var_pd(a, _mm512_setr_epi64(1, 3, 5, 7, 9, 11, 13, 15), b);
  }
  static BITPQ_FORCE_INLINE void zip(__m512d a, __m512d b, vec& low, vec& high) noexcept {
    low = _mm512_permutex2var_pd(a, _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11), b);
    high = _mm512_permutex2var_pd(a, _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15), b);
  }
  static BITPQ_FORCE_INLINE vec next(__m512d a, double last) noexcept {
    return _mm512_permutex2var_pd(a, _mm512_setr_epi64(1, 2, 3, 4, 5, 6, 7, 8), _mm512_set1_pd(last));
  }
};
template <scalar T>
struct lane_moves<T, avx512vnni_arch> : lane_moves<T, arch_of<isa::avx512>::type> {};
#endif

}  // namespace detail
}  // namespace v1
}  // namespace bitpq
