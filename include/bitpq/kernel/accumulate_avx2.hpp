// SPDX-License-Identifier: Apache-2.0
#pragma once

// Differences of single-precision points from their codewords, added up in double precision: the portable way, and
// four at a time with AVX2, since xsimd does not widen.

#include <bitpq/kernel/arguments.hpp>
#include <bitpq/kernel/simd.hpp>

#if defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>
#endif

namespace bitpq {
inline namespace v1 {
namespace detail {

template <scalar T, class Arch>
class difference_adder {
 public:
  BITPQ_FORCE_INLINE explicit difference_adder(std::size_t d) noexcept : d_(d) {}

  /// sums[i] += weight (v[i] - c[i]), i < d; may read and write back the rest of the stride.
  BITPQ_FORCE_INLINE void add(const T* BITPQ_RESTRICT v, const T* BITPQ_RESTRICT c, double weight,
                              double* BITPQ_RESTRICT sums) noexcept {
    double error = 0;
    for (std::size_t i = 0; i < d_; ++i) {
      const double difference = static_cast<double>(v[i]) - static_cast<double>(c[i]);
      sums[i] += weight * difference;
      error += weight * difference * difference;
    }
    error_ += error;
  }
  /// The sum over all calls of weight |v - c|^2.
  [[nodiscard]] BITPQ_FORCE_INLINE double error() const noexcept { return error_; }

 private:
  std::size_t d_;
  double error_ = 0;
};

#if defined(__AVX2__) && defined(__FMA__)
template <>
class difference_adder<float, arch_of<isa::avx2>::type> {
 public:
  BITPQ_FORCE_INLINE explicit difference_adder(std::size_t d) noexcept
      : whole_(d / 4 * 4),
        rest_(_mm_cmpgt_epi32(_mm_set1_epi32(static_cast<int>(d % 4)), _mm_setr_epi32(0, 1, 2, 3))),
        has_rest_(d % 4 != 0) {}

  BITPQ_FORCE_INLINE void add(const float* BITPQ_RESTRICT v, const float* BITPQ_RESTRICT c, double weight,
                              double* BITPQ_RESTRICT sums) noexcept {
    const __m256d w = _mm256_set1_pd(weight);
    std::size_t i = 0;
    for (; i + 8 <= whole_; i += 8) {
      add_four(_mm_loadu_ps(v + i), _mm_loadu_ps(c + i), w, sums + i, errors_[0]);
      add_four(_mm_loadu_ps(v + i + 4), _mm_loadu_ps(c + i + 4), w, sums + i + 4, errors_[1]);
    }
    if (i < whole_) add_four(_mm_loadu_ps(v + i), _mm_loadu_ps(c + i), w, sums + i, errors_[0]);
    if (has_rest_)  // the sums beyond d have zero added
      add_four(_mm_maskload_ps(v + whole_, rest_), _mm_maskload_ps(c + whole_, rest_), w, sums + whole_, errors_[1]);
  }
  [[nodiscard]] BITPQ_FORCE_INLINE double error() const noexcept {
    double lanes[4];
    _mm256_storeu_pd(lanes, _mm256_add_pd(errors_[0], errors_[1]));
    return (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]);
  }

 private:
  static BITPQ_FORCE_INLINE void add_four(__m128 v, __m128 c, __m256d weight, double* sums, __m256d& error) noexcept {
    const __m256d difference = _mm256_sub_pd(_mm256_cvtps_pd(v), _mm256_cvtps_pd(c));
    const __m256d weighted = _mm256_mul_pd(weight, difference);
    _mm256_storeu_pd(sums, _mm256_add_pd(_mm256_loadu_pd(sums), weighted));
    error = _mm256_fmadd_pd(weighted, difference, error);
  }

  std::size_t whole_;
  __m128i rest_;
  bool has_rest_;
  __m256d errors_[2] = {_mm256_setzero_pd(), _mm256_setzero_pd()};
};
#endif

#if defined(__AVX512F__)
template <>
class difference_adder<float, arch_of<isa::avx512>::type> : public difference_adder<float, arch_of<isa::avx2>::type> {
  using difference_adder<float, arch_of<isa::avx2>::type>::difference_adder;
};
template <>
class difference_adder<float, avx512vnni_arch> : public difference_adder<float, arch_of<isa::avx2>::type> {
  using difference_adder<float, arch_of<isa::avx2>::type>::difference_adder;
};
#endif

}  // namespace detail
}  // namespace v1
}  // namespace bitpq
