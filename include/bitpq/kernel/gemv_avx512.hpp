// SPDX-License-Identifier: Apache-2.0
#pragma once

// The table kernels of gemv_tables.hpp on AVX-512. Up to 32 codewords a block's table of floats is one or two
// registers. With VBMI, up to 256 codewords: vpermi2b looks 64 codes up in 128 bytes at once, so tables are kept as
// planes, one per byte of an entry.

#include <bitpq/kernel/gemv_tables.hpp>

#if defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__)
#include <immintrin.h>

namespace bitpq {
inline namespace v1 {
namespace detail {

/// sums[16 * L + 4 * q + e] += v[q][4 * L + e]: from four registers back to the order of the rows.
BITPQ_FORCE_INLINE void add_quads(const __m512 (&v)[4], float* sums) noexcept {
  const __m512 ab_low = _mm512_shuffle_f32x4(v[0], v[1], 0x44), ab_high = _mm512_shuffle_f32x4(v[0], v[1], 0xee);
  const __m512 cd_low = _mm512_shuffle_f32x4(v[2], v[3], 0x44), cd_high = _mm512_shuffle_f32x4(v[2], v[3], 0xee);
  const __m512 rows[4] = {_mm512_shuffle_f32x4(ab_low, cd_low, 0x88), _mm512_shuffle_f32x4(ab_low, cd_low, 0xdd),
                          _mm512_shuffle_f32x4(ab_high, cd_high, 0x88), _mm512_shuffle_f32x4(ab_high, cd_high, 0xdd)};
  BITPQ_UNROLL
  for (std::size_t i = 0; i < 4; ++i)
    _mm512_storeu_ps(sums + 16 * i, _mm512_add_ps(_mm512_loadu_ps(sums + 16 * i), rows[i]));
}

/// sums[4 * l + q] += v[q][l].
BITPQ_FORCE_INLINE void add_interleaved(const __m512 (&v)[4], float* sums) noexcept {
  const __m512 low01 = _mm512_unpacklo_ps(v[0], v[1]), high01 = _mm512_unpackhi_ps(v[0], v[1]);
  const __m512 low23 = _mm512_unpacklo_ps(v[2], v[3]), high23 = _mm512_unpackhi_ps(v[2], v[3]);
  add_quads({_mm512_shuffle_ps(low01, low23, 0x44), _mm512_shuffle_ps(low01, low23, 0xee),
             _mm512_shuffle_ps(high01, high23, 0x44), _mm512_shuffle_ps(high01, high23, 0xee)},
            sums);
}

/// Exact tables of up to 16 (Registers = 1) or 32 floats: vpermps reads only the low bits of an index, so the four
/// codes of a 32-bit lane need no unpacking, only shifting into place.
template <std::size_t Registers>
struct avx512_float_tables {
  static constexpr std::size_t strip = 4;  ///< runs of 64 rows whose sums stay in registers

  static BITPQ_FORCE_INLINE __m512 look_up(const __m512 (&table)[Registers], __m512i code) noexcept {
    if constexpr (Registers == 1)
      return _mm512_permutexvar_ps(code, table[0]);
    else
      return _mm512_permutex2var_ps(table[0], code, table[1]);
  }

  template <std::size_t Runs>
  static BITPQ_FORCE_INLINE void add(const float* tables, std::size_t entries, const std::uint8_t* codes,
                                     std::size_t code_stride, float* sums, std::size_t blocks) noexcept {
    const __m512i up_a_byte = _mm512_set1_epi16(256), upper_word = _mm512_set1_epi32(0x10000);
    __m512 sum[Runs][4];
    BITPQ_UNROLL
    for (std::size_t i = 0; i < Runs; ++i) {
      BITPQ_UNROLL
      for (std::size_t q = 0; q < 4; ++q) sum[i][q] = _mm512_setzero_ps();
    }
    for (std::size_t j = 0; j < blocks; ++j, tables += entries, codes += code_stride) {
      __m512 table[Registers];
      BITPQ_UNROLL
      for (std::size_t i = 0; i < Registers; ++i) table[i] = _mm512_loadu_ps(tables + 16 * i);
      BITPQ_UNROLL
      for (std::size_t i = 0; i < Runs; ++i) {
        prefetch(codes + blocks_ahead * code_stride + 64 * i);
        prefetch_later(codes + 64 * (Runs + i));
        const __m512i code = _mm512_loadu_si512(codes + 64 * i);
        // Shifts by one and two bytes, as multiplications: those run beside the permutations, shifts in their way.
        const __m512i code1 = _mm512_mulhi_epu16(code, up_a_byte), code2 = _mm512_madd_epi16(code, upper_word);
        const __m512i code3 = _mm512_madd_epi16(code1, upper_word);
        sum[i][0] = _mm512_add_ps(sum[i][0], look_up(table, code));
        sum[i][1] = _mm512_add_ps(sum[i][1], look_up(table, code1));
        sum[i][2] = _mm512_add_ps(sum[i][2], look_up(table, code2));
        sum[i][3] = _mm512_add_ps(sum[i][3], look_up(table, code3));
      }
    }
    BITPQ_UNROLL
    for (std::size_t i = 0; i < Runs; ++i) add_interleaved(sum[i], sums + 64 * i);
  }

  static BITPQ_FORCE_INLINE void rows(const float* tables, std::size_t entries, const std::uint8_t* codes,
                                      std::size_t code_stride, float* sums, std::size_t count,
                                      std::size_t blocks) noexcept {
    std::size_t r = 0;
    for (; r + 64 * strip <= count; r += 64 * strip)
      add<strip>(tables, entries, codes + r, code_stride, sums + r, blocks);
    for (; r < count; r += 64) add<1>(tables, entries, codes + r, code_stride, sums + r, blocks);
  }
};

/// add_exact for up to 32 codewords.
template <class Arch>
void avx512_add_exact(const std::uint8_t* tables, std::size_t codewords, const std::uint8_t* codes,
                      std::size_t code_stride, float* sums, std::size_t rows, std::size_t blocks) noexcept {
  const std::size_t entries = table_entries(codewords);
  const auto* floats = reinterpret_cast<const float*>(tables);
  if (codewords <= 16)
    avx512_float_tables<1>::rows(floats, entries, codes, code_stride, sums, rows, blocks);
  else
    avx512_float_tables<2>::rows(floats, entries, codes, code_stride, sums, rows, blocks);
}

/// Byte shuffles for look-ups among 16 entries.
template <class Arch>
struct avx512_bytes {
  using vec = __m512i;
  static constexpr std::size_t size = 64;

  static BITPQ_FORCE_INLINE vec zero() noexcept { return _mm512_setzero_si512(); }
  static BITPQ_FORCE_INLINE vec load(const std::uint8_t* p) noexcept { return _mm512_loadu_si512(p); }
  static BITPQ_FORCE_INLINE void store(void* p, vec v) noexcept { _mm512_storeu_si512(p, v); }
  static BITPQ_FORCE_INLINE vec table(const std::uint8_t* p) noexcept {
    return _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  static BITPQ_FORCE_INLINE vec look_up(vec table, vec codes) noexcept { return _mm512_shuffle_epi8(table, codes); }
  static BITPQ_FORCE_INLINE vec add_words(vec a, vec b) noexcept { return _mm512_add_epi16(a, b); }
  static BITPQ_FORCE_INLINE vec high_bytes(vec v) noexcept { return _mm512_srli_epi16(v, 8); }
};

}  // namespace detail
}  // namespace v1
}  // namespace bitpq
#endif
