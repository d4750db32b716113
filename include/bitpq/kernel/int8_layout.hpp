// SPDX-License-Identifier: Apache-2.0
#pragma once

// How 8-bit products lie in memory. Both operands are read in words of 32 bits: a word of weights is `group`
// neighbouring elements of a codeword, broadcast; a vector of words of the right operand holds the same elements of as
// many columns; and one instruction (or two) adds their dot products to a vector of 32-bit sums. What is left of a
// block behind its whole words shares a word with what is left of the next blocks, if that comes out even, so that
// blocks of 9 elements cost 9 and not 12.

#include <bitpq/core/concepts.hpp>

namespace bitpq {
inline namespace v1 {

/// What the magnitudes of a row's elements may add up to: times activations of up to 255 units that fits 32 bits.
inline constexpr std::int32_t max_int8_row = 0x7FFFFFFF / 255;
/// The most columns of a matrix whose elements, from -127 to 127, never add up to more.
inline constexpr std::size_t max_int8_cols = max_int8_row / 127;

/// Words of blocks of d elements, `group` elements a word: each block has `whole` words of its own, after which the
/// rests of up to `share` blocks have one between them (share > 1), the first in the low bits.
struct word_layout {
  std::size_t group, d;
  std::size_t whole;
  std::size_t rest;   ///< elements of a block in the shared word
  std::size_t share;  ///< 1: no shared words; a rest is padded to a whole word

  constexpr word_layout(std::size_t elements, std::size_t block_size) noexcept
      : group(elements), d(block_size), whole(d / group), rest(d % group), share(1) {
    if (rest == 0) return;
    if (group % rest == 0) {
      share = group / rest;
    } else {
      ++whole;
      rest = 0;
    }
  }

  /// Words of a codeword, with those of its rest in the last.
  [[nodiscard]] constexpr std::size_t of_codeword() const noexcept { return ceil_div(d, group); }
  /// Words of a column of that many blocks.
  [[nodiscard]] constexpr std::size_t of_column(std::size_t blocks) const noexcept {
    return blocks * whole + (share > 1 ? ceil_div(blocks, share) : 0);
  }
  /// Where element i of block j lies in a column of `blocks` blocks: the word, and the element of it.
  struct place {
    std::size_t word, element;
  };
  [[nodiscard]] constexpr place of(std::size_t j, std::size_t i, std::size_t blocks) const noexcept {
    const std::size_t first = j / share * share, before = j * whole + (share > 1 ? j / share : 0);
    if (share == 1 || i < whole * group) return {before + i / group, i % group};
    const std::size_t sharing = blocks - first < share ? blocks - first : share;
    return {first * whole + first / share + sharing * whole, (j - first) * rest + i - whole * group};
  }
  /// Bits that a rest takes.
  [[nodiscard]] constexpr std::size_t rest_bits() const noexcept { return rest * (32 / group); }
};

}  // namespace v1
}  // namespace bitpq
