// SPDX-License-Identifier: Apache-2.0
#pragma once

// How the kernels for few columns want codewords laid out: numbers that prepacking and the kernels agree on.

#include <bitpq/core/concepts.hpp>

namespace bitpq {
inline namespace v1 {

/// A codeword as dot_rows reads it: `full` vectors of `width` elements, its head, and then a tail of 0, 1, 4 or 8.
/// Heads lie together at a stride of head(), tails at a stride of `tail`, so that no read crosses a cache line and
/// little of the first-level cache holds padding.
struct codeword_parts {
  std::size_t width = 1;
  std::size_t full = 0;
  std::size_t tail = 0;

  [[nodiscard]] constexpr std::size_t head() const noexcept { return width * full; }
  [[nodiscard]] constexpr std::size_t size() const noexcept { return head() + tail; }
};

/// The parts of a codeword of d elements on an architecture whose vectors have `lanes`: the fewest reads, and among
/// these the narrowest. `narrowing` tells whether the kernels use vectors narrower than the widest.
constexpr codeword_parts split_codeword(std::size_t d, std::size_t lanes, bool narrowing) noexcept {
  std::size_t width = lanes;
  if (narrowing && width == 16 && d <= 12) width = 8;
  if (narrowing && width == 8 && d <= 4) width = 4;
  codeword_parts parts{width, d / width, d % width};
  if (parts.tail > 1 && narrowing && parts.full > 0) parts.tail = parts.tail <= 4 ? 4 : 8;
  if (parts.tail >= width || (parts.tail > 0 && (parts.full == 0 || !narrowing))) {
    parts.tail = 0;
    ++parts.full;
  }
  return parts;
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
