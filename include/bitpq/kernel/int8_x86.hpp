// SPDX-License-Identifier: Apache-2.0
#pragma once

// 8-bit products on x86. Without VNNI elements are widened to 16 bits, for the 8-bit multiply-add of SSSE3 to AVX-512BW
// cuts its sums off at 16 bits; with it they are bytes, those of the right operand unsigned, as activations are.

#include <bitpq/kernel/int8_vectors.hpp>

#if defined(__SSE2__)
#include <immintrin.h>

#include <cstring>

namespace bitpq {
inline namespace v1 {

template <>
struct int8_vectors<arch_of<isa::sse2>::type> {
  static constexpr std::size_t lanes = 4, group = 2;
  static constexpr std::int32_t subtrahend = 0;
  using vec = __m128i;
  using floats = __m128;

  static BITPQ_FORCE_INLINE vec load(const void* p) noexcept { return _mm_loadu_si128(static_cast<const vec*>(p)); }
  static BITPQ_FORCE_INLINE void store(void* p, vec v) noexcept { _mm_storeu_si128(static_cast<vec*>(p), v); }
  static BITPQ_FORCE_INLINE vec set(std::uint32_t v) noexcept { return _mm_set1_epi32(static_cast<int>(v)); }
  static BITPQ_FORCE_INLINE vec dot(vec sum, vec x, vec w) noexcept { return _mm_add_epi32(sum, _mm_madd_epi16(x, w)); }

  static BITPQ_FORCE_INLINE void pack(const std::uint8_t* const* rows, std::size_t i, std::uint32_t* dst) noexcept {
    store(dst, _mm_unpacklo_epi16(widened(rows[0] + i), widened(rows[1] + i)));
  }
  static BITPQ_FORCE_INLINE floats load(const float* p) noexcept { return _mm_loadu_ps(p); }
  static BITPQ_FORCE_INLINE floats set(float v) noexcept { return _mm_set1_ps(v); }
  static BITPQ_FORCE_INLINE void quantize(const float* x, floats inverse, vec zero, std::uint8_t* dst) noexcept {
    const vec q = _mm_add_epi32(_mm_cvtps_epi32(_mm_mul_ps(load(x), inverse)), zero), q16 = _mm_packs_epi32(q, q);
    const int bytes = _mm_cvtsi128_si32(_mm_packus_epi16(q16, q16));
    std::memcpy(dst, &bytes, lanes);
  }
  static BITPQ_FORCE_INLINE void dequantize(vec sum, vec zero, vec weights, floats scale, float* dst) noexcept {
    _mm_storeu_ps(dst, _mm_mul_ps(_mm_cvtepi32_ps(_mm_sub_epi32(sum, product(zero, weights))), scale));
  }

 private:
  /// The low halves of products of 32 bits, which only SSE4.1 multiplies at once.
  static BITPQ_FORCE_INLINE vec product(vec a, vec b) noexcept {
    const vec even = _mm_mul_epu32(a, b), odd = _mm_mul_epu32(_mm_srli_epi64(a, 32), _mm_srli_epi64(b, 32));
    return _mm_unpacklo_epi32(_mm_shuffle_epi32(even, 0x08), _mm_shuffle_epi32(odd, 0x08));
  }
  static BITPQ_FORCE_INLINE vec widened(const std::uint8_t* p) noexcept {
    int bytes = 0;
    std::memcpy(&bytes, p, lanes);
    return _mm_unpacklo_epi8(_mm_cvtsi32_si128(bytes), _mm_setzero_si128());
  }
};

#if defined(__AVX2__)
template <>
struct int8_vectors<arch_of<isa::avx2>::type> {
  static constexpr std::size_t lanes = 8, group = 2;
  static constexpr std::int32_t subtrahend = 0;
  using vec = __m256i;
  using floats = __m256;

  static BITPQ_FORCE_INLINE vec load(const void* p) noexcept { return _mm256_loadu_si256(static_cast<const vec*>(p)); }
  static BITPQ_FORCE_INLINE void store(void* p, vec v) noexcept { _mm256_storeu_si256(static_cast<vec*>(p), v); }
  static BITPQ_FORCE_INLINE vec set(std::uint32_t v) noexcept { return _mm256_set1_epi32(static_cast<int>(v)); }
  static BITPQ_FORCE_INLINE vec dot(vec sum, vec x, vec w) noexcept {
    return _mm256_add_epi32(sum, _mm256_madd_epi16(x, w));
  }

  static BITPQ_FORCE_INLINE void pack(const std::uint8_t* const* rows, std::size_t i, std::uint32_t* dst) noexcept {
    const vec low = _mm256_cvtepu16_epi32(widened(rows[0] + i)), high = _mm256_cvtepu16_epi32(widened(rows[1] + i));
    store(dst, _mm256_or_si256(low, _mm256_slli_epi32(high, 16)));
  }
  static BITPQ_FORCE_INLINE floats load(const float* p) noexcept { return _mm256_loadu_ps(p); }
  static BITPQ_FORCE_INLINE floats set(float v) noexcept { return _mm256_set1_ps(v); }
  static BITPQ_FORCE_INLINE void quantize(const float* x, floats inverse, vec zero, std::uint8_t* dst) noexcept {
    const vec q = _mm256_add_epi32(_mm256_cvtps_epi32(_mm256_mul_ps(load(x), inverse)), zero);
    const __m128i q16 = _mm_packs_epi32(_mm256_castsi256_si128(q), _mm256_extracti128_si256(q, 1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(dst), _mm_packus_epi16(q16, q16));
  }
  static BITPQ_FORCE_INLINE void dequantize(vec sum, vec zero, vec weights, floats scale, float* dst) noexcept {
    const vec rest = _mm256_sub_epi32(sum, _mm256_mullo_epi32(zero, weights));
    _mm256_storeu_ps(dst, _mm256_mul_ps(_mm256_cvtepi32_ps(rest), scale));
  }

 private:
  static BITPQ_FORCE_INLINE __m128i widened(const std::uint8_t* p) noexcept {
    return _mm_cvtepu8_epi16(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
  }
};
#endif

#if defined(__AVX512BW__)
template <>
struct int8_vectors<arch_of<isa::avx512>::type> {
  static constexpr std::size_t lanes = 16, group = 2;
  static constexpr std::int32_t subtrahend = 0;
  using vec = __m512i;
  using floats = __m512;

  static BITPQ_FORCE_INLINE vec load(const void* p) noexcept { return _mm512_loadu_si512(p); }
  static BITPQ_FORCE_INLINE void store(void* p, vec v) noexcept { _mm512_storeu_si512(p, v); }
  static BITPQ_FORCE_INLINE vec set(std::uint32_t v) noexcept { return _mm512_set1_epi32(static_cast<int>(v)); }
  static BITPQ_FORCE_INLINE vec dot(vec sum, vec x, vec w) noexcept {
    return _mm512_add_epi32(sum, _mm512_madd_epi16(x, w));
  }

  static BITPQ_FORCE_INLINE void pack(const std::uint8_t* const* rows, std::size_t i, std::uint32_t* dst) noexcept {
    const vec low = _mm512_cvtepu16_epi32(widened(rows[0] + i)), high = _mm512_cvtepu16_epi32(widened(rows[1] + i));
    store(dst, _mm512_or_si512(low, _mm512_slli_epi32(high, 16)));
  }
  static BITPQ_FORCE_INLINE floats load(const float* p) noexcept { return _mm512_loadu_ps(p); }
  static BITPQ_FORCE_INLINE floats set(float v) noexcept { return _mm512_set1_ps(v); }
  static BITPQ_FORCE_INLINE void quantize(const float* x, floats inverse, vec zero, std::uint8_t* dst) noexcept {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(dst), bytes(load(x), inverse, zero));
  }
  /// The same of n <= lanes floats, or every second float.
  template <std::size_t Step>
  static BITPQ_FORCE_INLINE void quantize_some(const float* x, std::size_t n, floats inverse, vec zero,
                                               std::uint8_t* dst) noexcept {
    const auto read = static_cast<std::uint32_t>((std::uint64_t{1} << ((n - 1) * Step + 1)) - 1);
    floats values = _mm512_maskz_loadu_ps(static_cast<__mmask16>(read), x);
    if constexpr (Step == 2) {
      const vec even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
      values = _mm512_permutex2var_ps(values, even, _mm512_maskz_loadu_ps(static_cast<__mmask16>(read >> 16), x + 16));
    }
    if (n == lanes)
      _mm_storeu_si128(reinterpret_cast<__m128i*>(dst), bytes(values, inverse, zero));
    else
      _mm_mask_storeu_epi8(dst, static_cast<__mmask16>((1U << n) - 1), bytes(values, inverse, zero));
  }
  static BITPQ_FORCE_INLINE void dequantize(vec sum, vec zero, vec weights, floats scale, float* dst) noexcept {
    const vec rest = _mm512_sub_epi32(sum, _mm512_mullo_epi32(zero, weights));
    _mm512_storeu_ps(dst, _mm512_mul_ps(_mm512_cvtepi32_ps(rest), scale));
  }

 private:
  static BITPQ_FORCE_INLINE __m128i bytes(floats x, floats inverse, vec zero) noexcept {
    return _mm512_cvtepi32_epi8(_mm512_add_epi32(_mm512_cvtps_epi32(_mm512_mul_ps(x, inverse)), zero));
  }
  static BITPQ_FORCE_INLINE __m256i widened(const std::uint8_t* p) noexcept {
    return _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
};
#endif

#if defined(__AVX512VNNI__) && defined(__AVX512VBMI__)
template <>
struct int8_vectors<avx512vnni_arch> : int8_vectors<arch_of<isa::avx512>::type> {
  static constexpr std::size_t group = 4;

  static BITPQ_FORCE_INLINE vec dot(vec sum, vec x, vec w) noexcept { return _mm512_dpbusd_epi32(sum, x, w); }

  static BITPQ_FORCE_INLINE void pack(const std::uint8_t* const* rows, std::size_t i, std::uint32_t* dst) noexcept {
    const auto row = [&](std::size_t r) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(rows[r] + i)); };
    const __m256i front = _mm256_inserti128_si256(_mm256_castsi128_si256(row(0)), row(1), 1);
    const __m256i back = _mm256_inserti128_si256(_mm256_castsi128_si256(row(2)), row(3), 1);
    const vec by_row = _mm512_inserti64x4(_mm512_castsi256_si512(front), back, 1);
    const vec column = _mm512_set_epi32(0x3F2F1F0F, 0x3E2E1E0E, 0x3D2D1D0D, 0x3C2C1C0C, 0x3B2B1B0B, 0x3A2A1A0A,
                                        0x39291909, 0x38281808, 0x37271707, 0x36261606, 0x35251505, 0x34241404,
                                        0x33231303, 0x32221202, 0x31211101, 0x30201000);
    store(dst, _mm512_permutexvar_epi8(column, by_row));
  }
};
#endif

}  // namespace v1
}  // namespace bitpq

#endif
