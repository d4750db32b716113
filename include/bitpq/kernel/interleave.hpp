// SPDX-License-Identifier: Apache-2.0
#pragma once

// Between two vectors and one run of alternating elements. xsimd 8's zip_lo and zip_hi interleave the 128-bit parts of
// wider vectors one by one, later versions whole vectors, so the wide ones are written out here.

#include <bitpq/kernel/simd.hpp>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace bitpq {
inline namespace v1 {
namespace detail {

template <scalar T, class Arch>
struct interleaved_store {
  using s = simd<T, Arch>;
  static BITPQ_FORCE_INLINE void run(T* p, const typename s::vec& a, const typename s::vec& b) noexcept {
    if constexpr (s::size == 1) {
      s::store(p, a);
      s::store(p + 1, b);
    } else {
      static_assert(s::size * sizeof(T) == 16, "wider vectors have their own");
      s::store(p, xsimd::zip_lo(a, b));
      s::store(p + s::size, xsimd::zip_hi(a, b));
    }
  }
};

/// Elements 0, 2, 4, ... of a run, one vector of them.
template <scalar T, class Arch>
struct every_second {
  using s = simd<T, Arch>;
  static BITPQ_FORCE_INLINE typename s::vec run(const T* p) noexcept {
    T lanes[s::size];
    BITPQ_UNROLL
    for (std::size_t i = 0; i < s::size; ++i) lanes[i] = p[2 * i];
    return s::load(lanes);
  }
};

#if defined(__AVX2__)
template <>
struct every_second<float, arch_of<isa::avx2>::type> {
  static BITPQ_FORCE_INLINE xsimd::batch<float, arch_of<isa::avx2>::type> run(const float* p) noexcept {
    const __m256 mixed = _mm256_shuffle_ps(_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8), 0x88);  // by halves
    return _mm256_castpd_ps(_mm256_permute4x64_pd(_mm256_castps_pd(mixed), 0xD8));
  }
};
template <>
struct interleaved_store<float, arch_of<isa::avx2>::type> {
  static BITPQ_FORCE_INLINE void run(float* p, __m256 a, __m256 b) noexcept {
    const __m256 low = _mm256_unpacklo_ps(a, b), high = _mm256_unpackhi_ps(a, b);
    _mm256_storeu_ps(p, _mm256_permute2f128_ps(low, high, 0x20));
    _mm256_storeu_ps(p + 8, _mm256_permute2f128_ps(low, high, 0x31));
  }
};
template <>
struct interleaved_store<double, arch_of<isa::avx2>::type> {
  static BITPQ_FORCE_INLINE void run(double* p, __m256d a, __m256d b) noexcept {
    const __m256d low = _mm256_unpacklo_pd(a, b), high = _mm256_unpackhi_pd(a, b);
    _mm256_storeu_pd(p, _mm256_permute2f128_pd(low, high, 0x20));
    _mm256_storeu_pd(p + 4, _mm256_permute2f128_pd(low, high, 0x31));
  }
};
#endif

#if defined(__AVX512F__)
template <>
struct every_second<float, arch_of<isa::avx512>::type> {
  static BITPQ_FORCE_INLINE xsimd::batch<float, arch_of<isa::avx512>::type> run(const float* p) noexcept {
    const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    return _mm512_permutex2var_ps(_mm512_loadu_ps(p), even, _mm512_loadu_ps(p + 16));
  }
};
template <scalar T>
struct every_second<T, avx512vnni_arch> : every_second<T, arch_of<isa::avx512>::type> {};
template <>
struct interleaved_store<float, arch_of<isa::avx512>::type> {
  static BITPQ_FORCE_INLINE void run(float* p, __m512 a, __m512 b) noexcept {
    const __m512i low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    const __m512i high = _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    _mm512_storeu_ps(p, _mm512_permutex2var_ps(a, low, b));
    _mm512_storeu_ps(p + 16, _mm512_permutex2var_ps(a, high, b));
  }
};
template <>
struct interleaved_store<double, arch_of<isa::avx512>::type> {
  static BITPQ_FORCE_INLINE void run(double* p, __m512d a, __m512d b) noexcept {
    _mm512_storeu_pd(p, _mm512_permutex2var_pd(a, _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11), b));
    _mm512_storeu_pd(p + 8, _mm512_permutex2var_pd(a, _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15), b));
  }
};
template <scalar T>
struct interleaved_store<T, avx512vnni_arch> : interleaved_store<T, arch_of<isa::avx512>::type> {};
#endif

}  // namespace detail

/// p[0], p[Step], p[2 * Step], ... for a step of 1 or 2; may read up to p[size * Step - 1].
template <std::size_t Step, scalar T, class Arch>
BITPQ_FORCE_INLINE typename simd<T, Arch>::vec load_every(const T* p) noexcept {
  if constexpr (Step == 1)
    return simd<T, Arch>::load(p);
  else
    return detail::every_second<T, Arch>::run(p);
}

/// a[0], b[0], a[1], b[1], ... to p.
template <scalar T, class Arch>
BITPQ_FORCE_INLINE void store_interleaved(T* p, const typename simd<T, Arch>::vec& a,
                                          const typename simd<T, Arch>::vec& b) noexcept {
  detail::interleaved_store<T, Arch>::run(p, a, b);
}

}  // namespace v1
}  // namespace bitpq
