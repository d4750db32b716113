// SPDX-License-Identifier: Apache-2.0
#pragma once

// The micro-kernel of 8-bit products: as gemm_tile.hpp's on codes, with words (int8_layout.hpp) for elements.

#include <bitpq/kernel/arguments.hpp>
#include <bitpq/kernel/int8_layout.hpp>
#include <bitpq/kernel/int8_neon.hpp>
#include <bitpq/kernel/int8_x86.hpp>

namespace bitpq {
inline namespace v1 {
namespace detail {

/// One step of the depth: a word of each row's weights times a vector of words of the right operand.
template <class Arch, std::size_t Rows, std::size_t Vectors, class Word>
BITPQ_FORCE_INLINE void int8_step(typename int8_vectors<Arch>::vec (&sum)[Rows][Vectors], const std::uint32_t* b,
                                  const Word& word) noexcept {
  using v8 = int8_vectors<Arch>;
  typename v8::vec right[Vectors];
  BITPQ_UNROLL
  for (std::size_t v = 0; v < Vectors; ++v) right[v] = v8::load(b + v * v8::lanes);
  BITPQ_UNROLL
  for (std::size_t r = 0; r < Rows; ++r) {
    const typename v8::vec left = v8::set(word(r));
    BITPQ_UNROLL
    for (std::size_t v = 0; v < Vectors; ++v) sum[r][v] = v8::dot(sum[r][v], right[v], left);
  }
}

/// One register tile: Rows x Vectors sums over all blocks, codes[j * code_stride + r] being block j of row r.
template <class Arch, std::size_t Rows, std::size_t Vectors, class Code>
BITPQ_FORCE_INLINE void int8_tile(const int8_product<Code>& p, std::size_t row) noexcept {
  using v8 = int8_vectors<Arch>;
  const word_layout layout(v8::group, p.d);
  const std::size_t stride = layout.of_codeword(), whole = layout.whole, bits = layout.rest_bits();
  typename v8::vec sum[Rows][Vectors];
  std::int32_t* const c = p.sums + row * p.ld;
  BITPQ_UNROLL
  for (std::size_t r = 0; r < Rows; ++r) {
    BITPQ_UNROLL
    for (std::size_t v = 0; v < Vectors; ++v)
      sum[r][v] = p.accumulate ? v8::load(c + r * p.ld + v * v8::lanes) : v8::set(0U);
  }
  const std::uint32_t* b = p.words;
  const Code* codes = p.codes + row;
  for (std::size_t j = 0; j < p.blocks;) {
    std::uint32_t shared[Rows] = {};
    std::size_t shift = 0;
    for (const std::size_t end = j + layout.share < p.blocks ? j + layout.share : p.blocks; j < end; ++j) {
      const std::uint32_t* word[Rows];
      BITPQ_UNROLL
      for (std::size_t r = 0; r < Rows; ++r) word[r] = p.book + static_cast<std::size_t>(codes[r]) * stride;
      codes += p.code_stride;
      for (std::size_t i = 0; i < whole; ++i, b += p.ldw)
        int8_step<Arch>(sum, b, [&](std::size_t r) { return word[r][i]; });
      if (layout.share > 1) {
        BITPQ_UNROLL
        for (std::size_t r = 0; r < Rows; ++r) shared[r] |= word[r][whole] << shift;
        shift += bits;
      }
    }
    if (layout.share > 1) {
      int8_step<Arch>(sum, b, [&](std::size_t r) { return shared[r]; });
      b += p.ldw;
    }
  }
  BITPQ_UNROLL
  for (std::size_t r = 0; r < Rows; ++r) {
    BITPQ_UNROLL
    for (std::size_t v = 0; v < Vectors; ++v) v8::store(c + r * p.ld + v * v8::lanes, sum[r][v]);
  }
}

/// The last rows: tries every smaller tile.
template <class Arch, std::size_t Rows, std::size_t Vectors, class Code>
BITPQ_FORCE_INLINE void int8_tail(const int8_product<Code>& p, std::size_t row) noexcept {
  if constexpr (Rows > 0) {
    if (p.rows - row == Rows)
      int8_tile<Arch, Rows, Vectors>(p, row);
    else
      int8_tail<Arch, Rows - 1, Vectors>(p, row);
  }
}

template <class Arch, std::size_t Vectors, class Code>
void int8_vectors_of(const int8_product<Code>& p) noexcept {
  constexpr std::size_t tile = register_tile<Arch>::rows;
  std::size_t row = 0;
  for (; row + tile <= p.rows; row += tile) int8_tile<Arch, tile, Vectors>(p, row);
  int8_tail<Arch, tile - 1, Vectors>(p, row);
}

/// Only as many vectors as hold columns.
template <class Arch, std::size_t Vectors, class Code>
BITPQ_FORCE_INLINE void int8_columns(const int8_product<Code>& p) noexcept {
  if constexpr (Vectors > 1) {
    if (p.columns <= (Vectors - 1) * int8_vectors<Arch>::lanes) {
      int8_columns<Arch, Vectors - 1>(p);
      return;
    }
  }
  int8_vectors_of<Arch, Vectors>(p);
}

/// The sums of a row stay in registers as long as words are its own.
template <class Arch, std::size_t Vectors>
BITPQ_FORCE_INLINE void sparse_vectors(const int8_sparse_product& p) noexcept {
  using v8 = int8_vectors<Arch>;
  for (std::size_t i = 0; i < p.count;) {
    const std::uint32_t row = p.extra[i].row;
    std::int32_t* const c = p.sums + (row - p.row) * p.ld;
    typename v8::vec sum[1][Vectors];
    BITPQ_UNROLL
    for (std::size_t v = 0; v < Vectors; ++v) sum[0][v] = v8::load(c + v * v8::lanes);
    for (; i < p.count && p.extra[i].row == row; ++i)
      int8_step<Arch>(sum, p.words + p.extra[i].at * p.ldw, [&](std::size_t) { return p.extra[i].weights; });
    BITPQ_UNROLL
    for (std::size_t v = 0; v < Vectors; ++v) v8::store(c + v * v8::lanes, sum[0][v]);
  }
}

/// Only as many vectors as hold columns.
template <class Arch, std::size_t Vectors>
BITPQ_FORCE_INLINE void sparse_columns(const int8_sparse_product& p) noexcept {
  if constexpr (Vectors > 1) {
    if (p.columns <= (Vectors - 1) * int8_vectors<Arch>::lanes) {
      sparse_columns<Arch, Vectors - 1>(p);
      return;
    }
  }
  sparse_vectors<Arch, Vectors>(p);
}

}  // namespace detail

/// See int8_sparse_product; modulo 2^32, whole vectors are written.
template <class Arch>
void int8_sparse(const int8_sparse_product& p) noexcept {
  detail::sparse_columns<Arch, register_tile<Arch>::vectors>(p);
}

/// sums[r * ld + c] (+)= the product of row r of 8-bit weights with column c, modulo 2^32, for r < rows and c <
/// columns; whole vectors are written. Weights: codeword codes[j * code_stride + r] of `book` in block j. See
/// int8_product.
template <class Arch, class Code>
void int8_panel(const int8_product<Code>& p) noexcept {
  detail::int8_columns<Arch, register_tile<Arch>::vectors>(p);
}

}  // namespace v1
}  // namespace bitpq
