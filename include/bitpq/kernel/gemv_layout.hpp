// SPDX-License-Identifier: Apache-2.0
#pragma once

// How the kernels for few columns want codewords laid out: numbers that prepacking and the kernels agree on.

#include <bitpq/core/concepts.hpp>

namespace bitpq {
inline namespace v1 {

/// A codeword as dot_rows reads it: `full` vectors of `width` elements, zero-padded. Vectors narrower than the
/// machine's serve short codewords, of which a wide vector would be mostly padding.
struct codeword_vectors {
  std::size_t width = 1;
  std::size_t full = 0;

  [[nodiscard]] constexpr std::size_t size() const noexcept { return width * full; }
};

/// The vectors of a codeword of d elements on an architecture whose vectors have `lanes`. `narrowing` tells whether the
/// kernels use narrower ones.
constexpr codeword_vectors split_codeword(std::size_t d, std::size_t lanes, bool narrowing) noexcept {
  std::size_t width = lanes;
  while (narrowing && width > 4 && d <= width / 2) width /= 2;
  return {width, ceil_div(d, width)};
}

/// Rows that the kernels for few columns take at a time; codes and sums are padded to a multiple.
inline constexpr std::size_t gemv_rows = 64;

/// Entries of a block's look-up table for so many codewords; those beyond are zero. At most 256.
constexpr std::size_t table_entries(std::size_t codewords) noexcept {
  return codewords <= 16 ? 16 : codewords <= 64 ? 64 : codewords <= 128 ? 128 : 256;
}

/// Bytes of a block's table: exact ones hold floats, lut16 whole numbers of 16 bits.
constexpr std::size_t exact_table_bytes(std::size_t codewords) noexcept { return 4 * table_entries(codewords); }
constexpr std::size_t lut16_table_bytes(std::size_t codewords) noexcept { return 2 * table_entries(codewords); }

/// Blocks whose tables of 16 bits may be added up before their sums are taken to floats: 257 bytes of 255 fit 16 bits.
inline constexpr std::size_t lut16_blocks = 256;

/// Names of scales (see lut16_exponent) that stand for: all products are zero; some product is no finite number.
inline constexpr std::uint8_t lut16_nothing = 0, lut16_not_finite = 255;

}  // namespace v1
}  // namespace bitpq
