// SPDX-License-Identifier: Apache-2.0
#pragma once

// A matrix-vector product by tables: the dot products of all codewords with a block of the input, after which a code
// costs one look-up and one addition. What all instruction sets share: how 16 bits are scaled, how tables are built
// where building is not worth instructions of its own, and plain look-ups, the oracle of the rest.

#include <bitpq/kernel/simd.hpp>
#include <bitpq/kernel/table.hpp>

#include <bit>

namespace bitpq {
inline namespace v1 {
namespace detail {

/// How many blocks ahead codes are asked for: neighbouring blocks lie pages apart, where no hardware looks ahead.
inline constexpr std::size_t blocks_ahead = 8;

/// The name of a block's scale: e such that all products are below 2^(e - 126) in magnitude. `largest`: the bits of the
/// largest magnitude. Scales are powers of two, so that blocks can be sorted by them before any is added up: one block
/// of large inputs then costs the others none of their bits.
BITPQ_FORCE_INLINE std::uint8_t lut16_exponent(std::uint32_t largest) noexcept {
  const std::uint32_t e = largest >> 23;
  return static_cast<std::uint8_t>(largest == 0 ? lut16_nothing : e >= 254 ? lut16_not_finite : e < 24 ? 24 : e);
}

/// What products of a block are multiplied with to become whole numbers below 2^15.
BITPQ_FORCE_INLINE float lut16_scale(std::uint8_t exponent) noexcept {
  if (exponent == lut16_nothing || exponent == lut16_not_finite) return 0;
  return std::bit_cast<float>(static_cast<std::uint32_t>(253 - exponent + 15) << 23) / 32768.0F * 32767.0F;
}

/// 2^23 + 2^15: added to a whole number below 2^15 in magnitude, it rounds and leaves the number plus 2^15 in the low
/// 16 bits of the float. Entries are kept so, without a sign.
inline constexpr float lut16_middle = 8421376.0F;

/// The sum of `count` entries back to a product.
BITPQ_FORCE_INLINE float lut16_value(std::uint32_t low, std::uint32_t high, std::size_t count, float scale) noexcept {
  const auto whole = static_cast<std::int32_t>(low + 256 * high) - 32768 * static_cast<std::int32_t>(count);
  return static_cast<float>(whole) * scale;
}

/// Dot products of all codewords, 16 at a time, with one block of the input.
template <class Arch>
BITPQ_FORCE_INLINE void codeword_products(const float* BITPQ_RESTRICT words, std::size_t entries, std::size_t d,
                                          const float* BITPQ_RESTRICT x, float* BITPQ_RESTRICT products) noexcept {
  using s = simd<float, Arch>;
  constexpr std::size_t vectors = s::size >= 16 ? 1 : s::size >= 4 ? 16 / s::size : 4;
  for (std::size_t k = 0; k < entries; k += vectors * s::size) {
    typename s::vec sum[vectors];
    BITPQ_UNROLL
    for (std::size_t v = 0; v < vectors; ++v) sum[v] = s::set(0);
    for (std::size_t i = 0; i < d; ++i) {
      BITPQ_UNROLL
      for (std::size_t v = 0; v < vectors; ++v)
        sum[v] = s::fma(s::load(words + i * entries + k + v * s::size), s::set(x[i]), sum[v]);
    }
    BITPQ_UNROLL
    for (std::size_t v = 0; v < vectors; ++v) s::store(products + k + v * s::size, sum[v]);
  }
}

/// Tables of floats as they are.
template <class Arch>
void build_float_tables(const float* words, std::size_t codewords, std::size_t d, const float* x, std::size_t blocks,
                        std::uint8_t* tables) noexcept {
  const std::size_t entries = table_entries(codewords);
  alignas(64) float products[256];
  for (std::size_t j = 0; j < blocks; ++j) {
    codeword_products<Arch>(words, entries, d, x + j * d, products);
    __builtin_memcpy(tables + j * 4 * entries, products, 4 * entries);
  }
}

/// Tables of floats in four planes: of each table first the lowest byte of every entry.
template <class Arch>
void build_float_planes(const float* words, std::size_t codewords, std::size_t d, const float* x, std::size_t blocks,
                        std::uint8_t* tables) noexcept {
  const std::size_t entries = table_entries(codewords);
  alignas(64) float products[256];
  for (std::size_t j = 0; j < blocks; ++j, tables += 4 * entries) {
    codeword_products<Arch>(words, entries, d, x + j * d, products);
    for (std::size_t k = 0; k < entries; ++k) {
      const auto bits = std::bit_cast<std::uint32_t>(products[k]);
      for (std::size_t p = 0; p < 4; ++p) tables[p * entries + k] = static_cast<std::uint8_t>(bits >> (8 * p));
    }
  }
}

/// Tables of 16 bits in two planes, the low bytes first.
template <class Arch>
void build_lut16_planes(const float* words, std::size_t codewords, std::size_t d, const float* x, std::size_t blocks,
                        std::uint8_t* tables, std::uint8_t* exponents) noexcept {
  const std::size_t entries = table_entries(codewords);
  alignas(64) float products[256];
  for (std::size_t j = 0; j < blocks; ++j, tables += 2 * entries) {
    codeword_products<Arch>(words, entries, d, x + j * d, products);
    std::uint32_t largest = 0;  // as a whole number, which keeps NaN
    for (std::size_t k = 0; k < entries; ++k) {
      const std::uint32_t magnitude = std::bit_cast<std::uint32_t>(products[k]) & 0x7fffffffU;
      largest = magnitude > largest ? magnitude : largest;
    }
    exponents[j] = lut16_exponent(largest);
    const float scale = lut16_scale(exponents[j]);
    for (std::size_t k = 0; k < entries; ++k) {
      const auto bits = std::bit_cast<std::uint32_t>(products[k] * scale + lut16_middle);
      tables[k] = static_cast<std::uint8_t>(bits);
      tables[entries + k] = static_cast<std::uint8_t>(bits >> 8);
    }
  }
}

/// Look-ups one by one, in tables of floats.
template <class Arch>
void add_floats(const std::uint8_t* tables, std::size_t codewords, const std::uint8_t* codes, std::size_t code_stride,
                float* sums, std::size_t rows, std::size_t blocks) noexcept {
  const std::size_t entries = table_entries(codewords);
  for (std::size_t j = 0; j < blocks; ++j, tables += 4 * entries, codes += code_stride)
    for (std::size_t r = 0; r < rows; ++r) {
      float entry = 0;
      __builtin_memcpy(&entry, tables + 4 * codes[r], 4);
      sums[r] += entry;
    }
}

/// Look-ups one by one, in two planes.
template <class Arch>
void add_lut16_entries(const std::uint8_t* tables, std::size_t codewords, const std::uint32_t* order, std::size_t count,
                       std::uint8_t exponent, const std::uint8_t* codes, std::size_t code_stride, float* sums,
                       std::size_t rows) noexcept {
  const std::size_t entries = table_entries(codewords);
  const float scale = 1 / lut16_scale(exponent);
  for (std::size_t r = 0; r < rows; ++r) {
    std::uint32_t low = 0, high = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint8_t* table = tables + order[i] * 2 * entries;
      const std::uint8_t code = codes[order[i] * code_stride + r];
      low += table[code];
      high += table[entries + code];
    }
    sums[r] += lut16_value(low, high, count, scale);
  }
}

/// Where the order of the rows comes back: sums[16 * L + 4 * q + e] += v[q][4 * L + e] of a strip of `n` rows.
BITPQ_FORCE_INLINE void add_quads(const float* v, std::size_t n, float* sums) noexcept {
  for (std::size_t r = 0; r < n; ++r) sums[r] += v[r % 16 / 4 * (n / 4) + r / 16 * 4 + r % 4];
}

/// Look-ups of 16 entries by byte shuffles. Bytes is what an instruction set has of them: `vec` of `size` bytes,
/// table(p), look_up(table, codes), load, store, zero, add_words, add_floats, high_bytes (of words, shifted down), and
/// zip_low / zip_high of bytes and of words within 16 bytes.
template <class Bytes>
struct shuffled_tables {
  using vec = typename Bytes::vec;
  static constexpr std::size_t parts = gemv_rows / Bytes::size;

  /// Four planes, put together to floats again.
  static void add_exact(const std::uint8_t* tables, std::size_t /*codewords*/, const std::uint8_t* codes,
                        std::size_t code_stride, float* sums, std::size_t rows, std::size_t blocks) noexcept {
    for (std::size_t r = 0; r < rows; r += gemv_rows) {
      vec sum[parts][4];
      BITPQ_UNROLL
      for (std::size_t i = 0; i < parts; ++i) {
        BITPQ_UNROLL
        for (std::size_t q = 0; q < 4; ++q) sum[i][q] = Bytes::zero();
      }
      for (std::size_t j = 0; j < blocks; ++j) {
        const std::uint8_t* line = codes + j * code_stride + r;
        const std::uint8_t* table = tables + j * 64;
        prefetch(line + blocks_ahead * code_stride);
        const vec plane[4] = {Bytes::table(table), Bytes::table(table + 16), Bytes::table(table + 32),
                              Bytes::table(table + 48)};
        BITPQ_UNROLL
        for (std::size_t i = 0; i < parts; ++i) {
          const vec code = Bytes::load(line + i * Bytes::size);
          const vec b0 = Bytes::look_up(plane[0], code), b1 = Bytes::look_up(plane[1], code);
          const vec b2 = Bytes::look_up(plane[2], code), b3 = Bytes::look_up(plane[3], code);
          const vec low01 = Bytes::zip_low_bytes(b0, b1), high01 = Bytes::zip_high_bytes(b0, b1);
          const vec low23 = Bytes::zip_low_bytes(b2, b3), high23 = Bytes::zip_high_bytes(b2, b3);
          sum[i][0] = Bytes::add_floats(sum[i][0], Bytes::zip_low_words(low01, low23));
          sum[i][1] = Bytes::add_floats(sum[i][1], Bytes::zip_high_words(low01, low23));
          sum[i][2] = Bytes::add_floats(sum[i][2], Bytes::zip_low_words(high01, high23));
          sum[i][3] = Bytes::add_floats(sum[i][3], Bytes::zip_high_words(high01, high23));
        }
      }
      for (std::size_t i = 0; i < parts; ++i) {
        alignas(64) float lanes[Bytes::size];
        for (std::size_t q = 0; q < 4; ++q) Bytes::store(lanes + q * Bytes::size / 4, sum[i][q]);
        add_quads(lanes, Bytes::size, sums + r + i * Bytes::size);
      }
    }
  }

  /// Two planes, each in 16-bit sums: of even rows plus 256 times odd rows, modulo 65536, and of odd rows alone.
  static void add_lut16(const std::uint8_t* tables, std::size_t /*codewords*/, const std::uint32_t* order,
                        std::size_t count, std::uint8_t exponent, const std::uint8_t* codes, std::size_t code_stride,
                        float* sums, std::size_t rows) noexcept {
    const float scale = 1 / lut16_scale(exponent);
    for (std::size_t r = 0; r < rows; r += gemv_rows) {
      vec both[parts][2], odd[parts][2];
      BITPQ_UNROLL
      for (std::size_t i = 0; i < parts; ++i) {
        BITPQ_UNROLL
        for (std::size_t p = 0; p < 2; ++p) both[i][p] = odd[i][p] = Bytes::zero();
      }
      for (std::size_t j = 0; j < count; ++j) {
        const std::uint8_t* line = codes + order[j] * code_stride + r;
        prefetch(codes + order[j + blocks_ahead < count ? j + blocks_ahead : j] * code_stride + r);
        const vec plane[2] = {Bytes::table(tables + order[j] * 32), Bytes::table(tables + order[j] * 32 + 16)};
        BITPQ_UNROLL
        for (std::size_t i = 0; i < parts; ++i) {
          const vec code = Bytes::load(line + i * Bytes::size);
          BITPQ_UNROLL
          for (std::size_t p = 0; p < 2; ++p) {
            const vec value = Bytes::look_up(plane[p], code);
            both[i][p] = Bytes::add_words(both[i][p], value);
            odd[i][p] = Bytes::add_words(odd[i][p], Bytes::high_bytes(value));
          }
        }
      }
      for (std::size_t i = 0; i < parts; ++i) {
        alignas(64) std::uint16_t all[2][Bytes::size / 2], upper[2][Bytes::size / 2];
        for (std::size_t p = 0; p < 2; ++p) {
          Bytes::store(all[p], both[i][p]);
          Bytes::store(upper[p], odd[i][p]);
        }
        float* out = sums + r + i * Bytes::size;
        for (std::size_t w = 0; w < Bytes::size / 2; ++w) {
          const auto even = [&](std::size_t p) { return static_cast<std::uint16_t>(all[p][w] - 256 * upper[p][w]); };
          out[2 * w] += lut16_value(even(0), even(1), count, scale);
          out[2 * w + 1] += lut16_value(upper[0][w], upper[1][w], count, scale);
        }
      }
    }
  }
};

}  // namespace detail
}  // namespace v1
}  // namespace bitpq
