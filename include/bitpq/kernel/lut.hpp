// SPDX-License-Identifier: Apache-2.0
#pragma once

// Products by tables: once the dot products of every codeword with a block of the input stand in a table, a block of
// weights costs one vector addition instead of d multiply-adds. Building tables keeps the multipliers busy and looking
// up keeps the loads busy, and no processor looks far enough ahead to overlap one after the other; so one loop does
// both at once, step by step: it looks up in the tables of one run of blocks while it builds those of the next.

#include <bitpq/kernel/arguments.hpp>
#include <bitpq/kernel/gemv_vbmi.hpp>
#include <bitpq/kernel/simd.hpp>

namespace bitpq {
inline namespace v1 {
namespace detail {

/// Rows and codewords of a tile of so many vectors of sums: up to eight vectors look up; with four a step of building
/// loads half a vector or broadcast per multiply-add, which leaves loads for looking up. Sixteen registers do not hold
/// both kinds of tile (8 + 8 + 2 + 1): there rows and codewords take turns.
template <class Arch, std::size_t Vectors>
struct lut_tile {
  static constexpr std::size_t rows = 8 / Vectors, words = Vectors == 1 ? 8 : 4;
  static constexpr bool together = register_tile<Arch>::vectors == 4;
};

/// Rows that look up, a block a step, in entries of Width vectors of which the first Vectors are live.
template <scalar T, class Arch, class Code, std::size_t Rows, std::size_t Vectors, std::size_t Width>
class look_up_rows {
 public:
  BITPQ_FORCE_INLINE look_up_rows(const lut_look_up<T, Code>& from, std::size_t table_size, std::size_t row) noexcept
      : table_(from.tables),
        table_size_(table_size),
        codes_(from.codes + row),
        code_stride_(from.code_stride),
        out_(from.sums + row * from.ld),
        ld_(from.ld) {
    const bool accumulate = from.accumulate;
    BITPQ_UNROLL
    for (std::size_t r = 0; r < Rows; ++r) {
      BITPQ_UNROLL
      for (std::size_t v = 0; v < Vectors; ++v)
        sum_[r][v] = accumulate ? s::load(out_ + r * ld_ + v * s::size) : s::set(T{0});
    }
  }
  BITPQ_FORCE_INLINE void step() noexcept {
    BITPQ_UNROLL
    for (std::size_t r = 0; r < Rows; ++r) {
      const T* const entry = table_ + static_cast<std::size_t>(codes_[r]) * (Width * s::size);
      BITPQ_UNROLL
      for (std::size_t v = 0; v < Vectors; ++v) sum_[r][v] = s::add(sum_[r][v], s::load(entry + v * s::size));
    }
    table_ += table_size_;
    codes_ += code_stride_;
  }
  BITPQ_FORCE_INLINE void finish() const noexcept {
    BITPQ_UNROLL
    for (std::size_t r = 0; r < Rows; ++r) {
      BITPQ_UNROLL
      for (std::size_t v = 0; v < Vectors; ++v) s::store(out_ + r * ld_ + v * s::size, sum_[r][v]);
    }
  }

 private:
  using s = simd<T, Arch>;
  const T* table_;
  std::size_t table_size_;
  const Code* codes_;
  std::size_t code_stride_;
  T* out_;
  std::size_t ld_;
  typename s::vec sum_[Rows][Vectors];
};

/// Codewords that are multiplied with a block of the input, an element a step.
template <scalar T, class Arch, class Code, std::size_t Words, std::size_t Vectors>
class build_words {
 public:
  BITPQ_FORCE_INLINE build_words(const T* book, std::size_t stride, const Code* names, const T* x,
                                 std::size_t ldx) noexcept
      : x_(x), ldx_(ldx) {
    BITPQ_UNROLL
    for (std::size_t w = 0; w < Words; ++w) {
      words_[w] = book + static_cast<std::size_t>(names[w]) * stride;
      BITPQ_UNROLL
      for (std::size_t v = 0; v < Vectors; ++v) sum_[w][v] = s::set(T{0});
    }
  }
  BITPQ_FORCE_INLINE void step() noexcept {
    typename s::vec right[Vectors];
    BITPQ_UNROLL
    for (std::size_t v = 0; v < Vectors; ++v) right[v] = s::load(x_ + v * s::size);
    BITPQ_UNROLL
    for (std::size_t w = 0; w < Words; ++w) {
      const typename s::vec value = s::set(words_[w][element_]);
      BITPQ_UNROLL
      for (std::size_t v = 0; v < Vectors; ++v) sum_[w][v] = s::fma(value, right[v], sum_[w][v]);
    }
    ++element_;
    x_ += ldx_;
  }
  /// To consecutive entries.
  template <std::size_t Width>
  BITPQ_FORCE_INLINE void finish(T* entries) const noexcept {
    BITPQ_UNROLL
    for (std::size_t w = 0; w < Words; ++w) {
      BITPQ_UNROLL
      for (std::size_t v = 0; v < Vectors; ++v) s::store(entries + (w * Width + v) * s::size, sum_[w][v]);
    }
  }

 private:
  using s = simd<T, Arch>;
  const T* words_[Words];
  std::size_t element_ = 0;
  const T* x_;
  std::size_t ldx_;
  typename s::vec sum_[Words][Vectors];
};

/// Tables that are being built, tile by tile.
template <scalar T, class Arch, class Code, std::size_t Words, std::size_t Vectors, std::size_t Width>
struct lut_builder {
  static_assert(word_list_group % Words == 0, "a list is whole tiles");

  const T* book;
  std::size_t book_stride, d;
  const Code* words;
  const word_list* list;  ///< of this block
  const T* x;
  std::size_t ldx;
  T* table;
  std::size_t table_size;
  std::size_t depth;     ///< still to build, this block's included
  std::size_t word = 0;  ///< next of this block's list

  [[nodiscard]] BITPQ_FORCE_INLINE std::size_t tiles() const noexcept {
    std::size_t count = 0;
    for (std::size_t j = 0; j * d < depth; ++j) count += (list[j].count + Words - 1) / Words;
    return count;
  }
  [[nodiscard]] BITPQ_FORCE_INLINE std::size_t width() const noexcept { return depth < d ? depth : d; }
  [[nodiscard]] BITPQ_FORCE_INLINE build_words<T, Arch, Code, Words, Vectors> next() const noexcept {
    return {book, book_stride, words + list->first + word, x, ldx};
  }
  /// Stores a tile and goes to the next one, in the next block where this one is done.
  BITPQ_FORCE_INLINE void finish(const build_words<T, Arch, Code, Words, Vectors>& tile) noexcept {
    tile.template finish<Width>(table + word * (Width * simd<T, Arch>::size));
    word += Words;
    if (word < list->count) return;
    depth -= width();
    word = 0;
    ++list;
    x += d * ldx;
    table += table_size;
  }
  BITPQ_FORCE_INLINE void tile() noexcept {
    build_words<T, Arch, Code, Words, Vectors> tile = next();
    for (std::size_t k = width(); k > 0; --k) tile.step();
    finish(tile);
  }
};

template <std::size_t Rows, scalar T, class Arch, class Code, std::size_t Words, std::size_t Vectors, std::size_t Width>
void lut_rows(const lut_look_up<T, Code>& from, lut_builder<T, Arch, Code, Words, Vectors, Width> builder) noexcept {
  const std::size_t table_size = builder.table_size, blocks = from.blocks;
  const std::size_t steps = (from.rows + Rows - 1) / Rows, tiles = builder.tiles();
  std::size_t r = 0, due = 0, built = 0;
  for (; r + Rows <= from.rows; r += Rows) {
    look_up_rows<T, Arch, Code, Rows, Vectors, Width> rows(from, table_size, r);
    due += tiles;
    if (lut_tile<Arch, Vectors>::together && due >= steps) {
      build_words<T, Arch, Code, Words, Vectors> words = builder.next();
      const std::size_t width = builder.width(), both = blocks < width ? blocks : width;
      for (std::size_t i = 0; i < both; ++i) {
        words.step();
        rows.step();
      }
      for (std::size_t i = both; i < width; ++i) words.step();
      for (std::size_t i = both; i < blocks; ++i) rows.step();
      builder.finish(words);
      due -= steps;
      ++built;
    } else {
      for (std::size_t i = 0; i < blocks; ++i) rows.step();
    }
    rows.finish();
    for (; due >= steps; due -= steps, ++built) builder.tile();  // an even share of the tiles
  }
  for (; r < from.rows; ++r) {
    look_up_rows<T, Arch, Code, 1, Vectors, Width> row(from, table_size, r);
    for (std::size_t i = 0; i < blocks; ++i) row.step();
    row.finish();
  }
  for (; built < tiles; ++built) builder.tile();
}

template <std::size_t Vectors, std::size_t Width, scalar T, class Arch, class Code>
void lut_vectors(const lut_operands<T>& with, const lut_look_up<T, Code>& from, const lut_build<T, Code>& to) noexcept {
  using tile = lut_tile<Arch, Vectors>;
  constexpr std::size_t rows = tile::rows;
  const lut_builder<T, Arch, Code, tile::words, Vectors, Width> builder{
      with.book, with.book_stride, with.d,
      to.words,  to.lists,         to.inputs,
      to.ld,     to.tables,        with.entries * Width * simd<T, Arch>::size,
      to.depth};
  // Where there is more to build than to look up, fewer rows a tile spread the looking up over more of the building.
  if (tile::together && builder.tiles() * rows * 2 > from.rows * 3)
    lut_rows<rows / 2>(from, builder);
  else
    lut_rows<rows>(from, builder);
}

/// Only as many vectors as hold columns.
template <std::size_t Vectors, std::size_t Width, scalar T, class Arch, class Code>
BITPQ_FORCE_INLINE void lut_live(const lut_operands<T>& with, const lut_look_up<T, Code>& from,
                                 const lut_build<T, Code>& to) noexcept {
  if constexpr (Vectors > 1) {
    if (with.columns <= (Vectors - 1) * simd<T, Arch>::size) {
      lut_live<Vectors - 1, Width, T, Arch>(with, from, to);
      return;
    }
  }
  lut_vectors<Vectors, Width, T, Arch>(with, from, to);
}

}  // namespace detail

/// Looks up and builds, see the two halves; either may be empty (rows or depth 0). Of `width` columns the first
/// `columns` are wanted. The products of a block are summed in the order of its elements, the blocks in their order.
template <scalar T, class Arch, class Code>
void lut_step(const lut_operands<T>& with, const lut_look_up<T, Code>& from, const lut_build<T, Code>& to) noexcept {
  constexpr std::size_t wide = register_tile<Arch>::vectors;
  if (wide == 2 || with.width == 2 * simd<T, Arch>::size)
    detail::lut_live<2, 2, T, Arch>(with, from, to);
  else
    detail::lut_live<wide, wide, T, Arch>(with, from, to);
}

/// entries[i] = entry_of[codes[i]], i < n; entry_of has 256 elements.
template <class Arch>
void name_entries(const std::uint8_t* entry_of, const std::uint8_t* codes, std::size_t n,
                  std::uint8_t* entries) noexcept {
  std::size_t i = 0;
#if defined(__AVX512VBMI__) && defined(__AVX512VNNI__) && defined(__AVX512BW__) && defined(__AVX512DQ__)
  if constexpr (std::is_same_v<Arch, avx512vnni_arch>) {
    const detail::vbmi_plane<4> table(entry_of);
    for (; i < n; i += 64) {
      const __mmask64 live = n - i < 64 ? (__mmask64{1} << (n - i)) - 1 : ~__mmask64{0};
      const __m512i code = _mm512_maskz_loadu_epi8(live, codes + i);
      _mm512_mask_storeu_epi8(entries + i, live, table(code, _mm512_movepi8_mask(code)));
    }
  }
#endif
  for (; i < n; ++i) entries[i] = entry_of[codes[i]];
}

}  // namespace v1
}  // namespace bitpq
