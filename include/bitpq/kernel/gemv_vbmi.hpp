// SPDX-License-Identifier: Apache-2.0
#pragma once

// Look-ups among up to 256 entries on AVX-512 with VBMI: vpermi2b finds 64 codes in 128 bytes at once. Tables are kept
// as planes, one per byte of an entry: four of them make exact floats, two make 16 bits.

#include <bitpq/kernel/gemv_avx512.hpp>

#if defined(__AVX512VBMI__) && defined(__AVX512VNNI__) && defined(__AVX512BW__) && defined(__AVX512DQ__)

namespace bitpq {
inline namespace v1 {
namespace detail {

/// One byte plane of a table of 64 * Registers entries.
template <std::size_t Registers>
struct vbmi_plane {
  __m512i part[Registers];

  BITPQ_FORCE_INLINE explicit vbmi_plane(const std::uint8_t* p) noexcept {
    BITPQ_UNROLL
    for (std::size_t i = 0; i < Registers; ++i) part[i] = _mm512_loadu_si512(p + 64 * i);
  }
  /// `upper`: the top bits of the codes.
  [[nodiscard]] BITPQ_FORCE_INLINE __m512i operator()(__m512i code, [[maybe_unused]] __mmask64 upper) const noexcept {
    if constexpr (Registers == 1)
      return _mm512_permutexvar_epi8(code, part[0]);
    else if constexpr (Registers == 2)
      return _mm512_permutex2var_epi8(part[0], code, part[1]);
    else
      return _mm512_mask_blend_epi8(upper, _mm512_permutex2var_epi8(part[0], code, part[1]),
                                    _mm512_permutex2var_epi8(part[2], code, part[3]));
  }
};

/// Exact tables: four planes, the looked-up bytes put together to floats again.
template <std::size_t Registers>
struct vbmi_float_tables {
  static constexpr std::size_t entries = 64 * Registers;
  static constexpr std::size_t run = 64 / Registers;  ///< blocks whose tables, 16 KB, stay in the first-level cache
  static constexpr std::size_t strip = 2, chunk = 1024;

  template <std::size_t Runs>
  static BITPQ_FORCE_INLINE void add(const std::uint8_t* tables, const std::uint8_t* codes, std::size_t code_stride,
                                     float* partial, std::size_t blocks) noexcept {
    __m512 sum[Runs][4];
    BITPQ_UNROLL
    for (std::size_t i = 0; i < Runs; ++i) {
      BITPQ_UNROLL
      for (std::size_t q = 0; q < 4; ++q) sum[i][q] = _mm512_loadu_ps(partial + 64 * i + 16 * q);
    }
    for (std::size_t j = 0; j < blocks; ++j, tables += 4 * entries, codes += code_stride) {
      const vbmi_plane<Registers> byte0(tables), byte1(tables + entries), byte2(tables + 2 * entries),
          byte3(tables + 3 * entries);
      BITPQ_UNROLL
      for (std::size_t i = 0; i < Runs; ++i) {
        prefetch(codes + blocks_ahead * code_stride + 64 * i);
        const __m512i code = _mm512_loadu_si512(codes + 64 * i);
        const __mmask64 upper = _mm512_movepi8_mask(code);
        const __m512i b0 = byte0(code, upper), b1 = byte1(code, upper), b2 = byte2(code, upper),
                      b3 = byte3(code, upper);
        const __m512i low01 = _mm512_unpacklo_epi8(b0, b1), high01 = _mm512_unpackhi_epi8(b0, b1);
        const __m512i low23 = _mm512_unpacklo_epi8(b2, b3), high23 = _mm512_unpackhi_epi8(b2, b3);
        sum[i][0] = _mm512_add_ps(sum[i][0], _mm512_castsi512_ps(_mm512_unpacklo_epi16(low01, low23)));
        sum[i][1] = _mm512_add_ps(sum[i][1], _mm512_castsi512_ps(_mm512_unpackhi_epi16(low01, low23)));
        sum[i][2] = _mm512_add_ps(sum[i][2], _mm512_castsi512_ps(_mm512_unpacklo_epi16(high01, high23)));
        sum[i][3] = _mm512_add_ps(sum[i][3], _mm512_castsi512_ps(_mm512_unpackhi_epi16(high01, high23)));
      }
    }
    BITPQ_UNROLL
    for (std::size_t i = 0; i < Runs; ++i) {
      BITPQ_UNROLL
      for (std::size_t q = 0; q < 4; ++q) _mm512_storeu_ps(partial + 64 * i + 16 * q, sum[i][q]);
    }
  }

  static BITPQ_FORCE_INLINE void rows(const std::uint8_t* tables, const std::uint8_t* codes, std::size_t code_stride,
                                      float* sums, std::size_t count, std::size_t blocks) noexcept {
    alignas(64) float partial[chunk];
    for (std::size_t first = 0; first < count; first += chunk) {
      const std::size_t n = count - first < chunk ? count - first : chunk;
      for (std::size_t i = 0; i < n; ++i) partial[i] = 0;
      for (std::size_t j = 0; j < blocks; j += run) {
        const std::size_t live = blocks - j < run ? blocks - j : run;
        const std::uint8_t* from = codes + j * code_stride + first;
        std::size_t r = 0;
        for (; r + 64 * strip <= n; r += 64 * strip)
          add<strip>(tables + j * 4 * entries, from + r, code_stride, partial + r, live);
        for (; r < n; r += 64) add<1>(tables + j * 4 * entries, from + r, code_stride, partial + r, live);
      }
      for (std::size_t r = 0; r < n; r += 64)
        add_quads({_mm512_load_ps(partial + r), _mm512_load_ps(partial + r + 16), _mm512_load_ps(partial + r + 32),
                   _mm512_load_ps(partial + r + 48)},
                  sums + first + r);
    }
  }
};

/// Dot products of all codewords with one block of the input, in registers. `words` is [d][entries].
template <std::size_t Vectors>
BITPQ_FORCE_INLINE void vbmi_products(const float* words, std::size_t d, const float* x,
                                      __m512 (&dot)[Vectors]) noexcept {
  BITPQ_UNROLL
  for (std::size_t v = 0; v < Vectors; ++v) dot[v] = _mm512_setzero_ps();
  for (std::size_t i = 0; i < d; ++i, words += 16 * Vectors) {
    const __m512 right = _mm512_set1_ps(x[i]);
    BITPQ_UNROLL
    for (std::size_t v = 0; v < Vectors; ++v) dot[v] = _mm512_fmadd_ps(_mm512_loadu_ps(words + 16 * v), right, dot[v]);
  }
}

template <std::size_t Registers>
BITPQ_FORCE_INLINE void vbmi_build_floats(const float* words, std::size_t d, const float* x, std::size_t blocks,
                                          std::uint8_t* tables) noexcept {
  constexpr std::size_t entries = 64 * Registers;
  // Bytes 0 of the 16 floats first, then bytes 1, 2 and 3; and the quarters of four registers put together.
  alignas(64) std::uint8_t order[64];
  for (std::size_t i = 0; i < 64; ++i) order[i] = static_cast<std::uint8_t>(i % 16 * 4 + i / 16);
  const __m512i bytes = _mm512_load_si512(order);
  for (std::size_t j = 0; j < blocks; ++j, x += d, tables += 4 * entries) {
    __m512 dot[4 * Registers];
    vbmi_products(words, d, x, dot);
    BITPQ_UNROLL
    for (std::size_t r = 0; r < Registers; ++r) {
      __m512i q[4];
      BITPQ_UNROLL
      for (std::size_t i = 0; i < 4; ++i) q[i] = _mm512_permutexvar_epi8(bytes, _mm512_castps_si512(dot[4 * r + i]));
      const __m512i ab_low = _mm512_shuffle_i32x4(q[0], q[1], 0x44), ab_high = _mm512_shuffle_i32x4(q[0], q[1], 0xee);
      const __m512i cd_low = _mm512_shuffle_i32x4(q[2], q[3], 0x44), cd_high = _mm512_shuffle_i32x4(q[2], q[3], 0xee);
      _mm512_storeu_si512(tables + 64 * r, _mm512_shuffle_i32x4(ab_low, cd_low, 0x88));
      _mm512_storeu_si512(tables + entries + 64 * r, _mm512_shuffle_i32x4(ab_low, cd_low, 0xdd));
      _mm512_storeu_si512(tables + 2 * entries + 64 * r, _mm512_shuffle_i32x4(ab_high, cd_high, 0x88));
      _mm512_storeu_si512(tables + 3 * entries + 64 * r, _mm512_shuffle_i32x4(ab_high, cd_high, 0xdd));
    }
  }
}

/// What build_lut16_planes builds.
template <std::size_t Registers>
BITPQ_FORCE_INLINE void vbmi_build_planes16(const float* words, std::size_t d, const float* x, std::size_t blocks,
                                            std::uint8_t* tables, std::uint8_t* exponents) noexcept {
  constexpr std::size_t entries = 64 * Registers;
  alignas(64) std::uint16_t even_words[32];
  alignas(64) std::uint8_t even_bytes[64];
  for (std::size_t i = 0; i < 32; ++i) even_words[i] = static_cast<std::uint16_t>(2 * i);
  for (std::size_t i = 0; i < 64; ++i) even_bytes[i] = static_cast<std::uint8_t>(2 * i);
  const __m512i low_words = _mm512_load_si512(even_words), low_bytes = _mm512_load_si512(even_bytes);
  const __m512i high_bytes = _mm512_add_epi8(low_bytes, _mm512_set1_epi8(1));
  const __m512i magnitude = _mm512_set1_epi32(0x7fffffff);
  for (std::size_t j = 0; j < blocks; ++j, x += d, tables += 2 * entries) {
    __m512 dot[4 * Registers];
    vbmi_products(words, d, x, dot);
    __m512i largest = _mm512_setzero_si512();  // as whole numbers, which keeps NaN
    BITPQ_UNROLL
    for (std::size_t v = 0; v < 4 * Registers; ++v)
      largest = _mm512_max_epu32(largest, _mm512_and_si512(_mm512_castps_si512(dot[v]), magnitude));
    exponents[j] = lut16_exponent(_mm512_reduce_max_epu32(largest));
    const __m512 scale = _mm512_set1_ps(lut16_scale(exponents[j])), middle = _mm512_set1_ps(lut16_middle);
    BITPQ_UNROLL
    for (std::size_t r = 0; r < Registers; ++r) {
      __m512i q[4];  // the entry is in the low 16 bits of each lane
      BITPQ_UNROLL
      for (std::size_t i = 0; i < 4; ++i) q[i] = _mm512_castps_si512(_mm512_fmadd_ps(dot[4 * r + i], scale, middle));
      const __m512i first = _mm512_permutex2var_epi16(q[0], low_words, q[1]),
                    second = _mm512_permutex2var_epi16(q[2], low_words, q[3]);
      _mm512_storeu_si512(tables + 64 * r, _mm512_permutex2var_epi8(first, low_bytes, second));
      _mm512_storeu_si512(tables + entries + 64 * r, _mm512_permutex2var_epi8(first, high_bytes, second));
    }
  }
}

/// Adds entries of 16 bits: low and high bytes apart, each in 16-bit sums of even and of odd rows.
template <std::size_t Registers>
struct vbmi_lut16 {
  static constexpr std::size_t entries = 64 * Registers;
  static constexpr std::size_t run = 128 / Registers;  ///< blocks whose tables, 16 KB, stay in the first-level cache
  static constexpr std::size_t strip = 2, chunk = 1024;

  /// Of 64 rows: even rows plus 256 times odd rows, modulo 65536, and odd rows alone; of low and of high bytes.
  struct partial {
    __m512i both[2], odd[2];
  };

  template <std::size_t Runs>
  static BITPQ_FORCE_INLINE void add(const std::uint8_t* tables, const std::uint32_t* order, const std::uint32_t* next,
                                     std::size_t count, const std::uint8_t* codes, std::size_t code_stride,
                                     partial* partials) noexcept {
    partial sum[Runs];
    BITPQ_UNROLL
    for (std::size_t i = 0; i < Runs; ++i) sum[i] = partials[i];
    for (std::size_t j = 0; j < count; ++j) {
      const std::uint8_t* table = tables + order[j] * 2 * entries;
      const std::uint8_t* line = codes + order[j] * code_stride;
      const vbmi_plane<Registers> low(table), high(table + entries);
      BITPQ_UNROLL
      for (std::size_t i = 0; i < Runs; ++i) {
        prefetch_later(codes + next[j] * code_stride + 64 * i);
        prefetch(line + 64 * (Runs + i));
        const __m512i code = _mm512_loadu_si512(line + 64 * i);
        const __mmask64 upper = _mm512_movepi8_mask(code);
        const __m512i value[2] = {low(code, upper), high(code, upper)};
        BITPQ_UNROLL
        for (std::size_t p = 0; p < 2; ++p) {
          sum[i].both[p] = _mm512_add_epi16(sum[i].both[p], value[p]);
          sum[i].odd[p] = _mm512_add_epi16(sum[i].odd[p], _mm512_srli_epi16(value[p], 8));
        }
      }
    }
    BITPQ_UNROLL
    for (std::size_t i = 0; i < Runs; ++i) partials[i] = sum[i];
  }

  static BITPQ_FORCE_INLINE void finish(const partial& sum, std::size_t count, float scale, float* sums) noexcept {
    const __m512i offset = _mm512_set1_epi32(-32768 * static_cast<int>(count)), half = _mm512_set1_epi32(0xffff);
    __m512 quad[4];  // q is the row within a lane's four: 0 and 2 even, in the low and the high half of the lane
    BITPQ_UNROLL
    for (std::size_t q = 0; q < 4; ++q) {
      __m512i whole[2];
      BITPQ_UNROLL
      for (std::size_t p = 0; p < 2; ++p) {
        const __m512i even = _mm512_sub_epi16(sum.both[p], _mm512_slli_epi16(sum.odd[p], 8));
        const __m512i words = q % 2 == 0 ? even : sum.odd[p];
        whole[p] = q < 2 ? _mm512_and_si512(words, half) : _mm512_srli_epi32(words, 16);
      }
      const __m512i total = _mm512_add_epi32(_mm512_add_epi32(whole[0], _mm512_slli_epi32(whole[1], 8)), offset);
      quad[q] = _mm512_mul_ps(_mm512_cvtepi32_ps(total), _mm512_set1_ps(scale));
    }
    add_interleaved(quad, sums);
  }

  static BITPQ_FORCE_INLINE void rows(const std::uint8_t* tables, const std::uint32_t* order, std::size_t count,
                                      const std::uint8_t* codes, std::size_t code_stride, float scale, float* sums,
                                      std::size_t n) noexcept {
    partial partials[chunk / 64];
    for (std::size_t first = 0; first < n; first += chunk) {
      const std::size_t live = n - first < chunk ? n - first : chunk;
      for (std::size_t r = 0; r < live; r += 64) partials[r / 64] = partial{};
      for (std::size_t j = 0; j < count; j += run) {
        const std::size_t blocks = count - j < run ? count - j : run;
        const std::uint8_t* from = codes + first;
        const std::uint32_t* next = order + (j + 2 * run <= count ? j + run : j);
        std::size_t r = 0;
        for (; r + 64 * strip <= live; r += 64 * strip)
          add<strip>(tables, order + j, next, blocks, from + r, code_stride, partials + r / 64);
        for (; r < live; r += 64) add<1>(tables, order + j, next, blocks, from + r, code_stride, partials + r / 64);
      }
      for (std::size_t r = 0; r < live; r += 64) finish(partials[r / 64], count, scale, sums + first + r);
    }
  }
};

template <class Arch>
void vbmi_build_exact(const float* words, std::size_t codewords, std::size_t d, const float* x, std::size_t blocks,
                      std::uint8_t* tables) noexcept {
  if (codewords <= 32) return build_float_tables<Arch>(words, codewords, d, x, blocks, tables);
  if (codewords <= 64)
    vbmi_build_floats<1>(words, d, x, blocks, tables);
  else if (codewords <= 128)
    vbmi_build_floats<2>(words, d, x, blocks, tables);
  else
    vbmi_build_floats<4>(words, d, x, blocks, tables);
}

template <class Arch>
void vbmi_add_exact(const std::uint8_t* tables, std::size_t codewords, const std::uint8_t* codes,
                    std::size_t code_stride, float* sums, std::size_t rows, std::size_t blocks) noexcept {
  if (codewords <= 32) return avx512_add_exact<Arch>(tables, codewords, codes, code_stride, sums, rows, blocks);
  if (codewords <= 64)
    vbmi_float_tables<1>::rows(tables, codes, code_stride, sums, rows, blocks);
  else if (codewords <= 128)
    vbmi_float_tables<2>::rows(tables, codes, code_stride, sums, rows, blocks);
  else
    vbmi_float_tables<4>::rows(tables, codes, code_stride, sums, rows, blocks);
}

template <class Arch>
void vbmi_build_lut16(const float* words, std::size_t codewords, std::size_t d, const float* x, std::size_t blocks,
                      std::uint8_t* tables, std::uint8_t* exponents) noexcept {
  if (codewords <= 16) return build_lut16_planes<Arch>(words, codewords, d, x, blocks, tables, exponents);
  if (codewords <= 64)
    vbmi_build_planes16<1>(words, d, x, blocks, tables, exponents);
  else if (codewords <= 128)
    vbmi_build_planes16<2>(words, d, x, blocks, tables, exponents);
  else
    vbmi_build_planes16<4>(words, d, x, blocks, tables, exponents);
}

template <class Arch>
void vbmi_add_lut16(const std::uint8_t* tables, std::size_t codewords, const std::uint32_t* order, std::size_t count,
                    std::uint8_t exponent, const std::uint8_t* codes, std::size_t code_stride, float* sums,
                    std::size_t rows) noexcept {
  if (codewords <= 16)
    return shuffled_tables<avx512_bytes<Arch>>::add_lut16(tables, codewords, order, count, exponent, codes, code_stride,
                                                          sums, rows);
  const float scale = 1 / lut16_scale(exponent);
  if (codewords <= 64)
    vbmi_lut16<1>::rows(tables, order, count, codes, code_stride, scale, sums, rows);
  else if (codewords <= 128)
    vbmi_lut16<2>::rows(tables, order, count, codes, code_stride, scale, sums, rows);
  else
    vbmi_lut16<4>::rows(tables, order, count, codes, code_stride, scale, sums, rows);
}

}  // namespace detail
}  // namespace v1
}  // namespace bitpq
#endif
