// SPDX-License-Identifier: Apache-2.0
#pragma once

// Products by tables: once the dot products of every codeword with a block of the input stand in a table, a block of
// weights costs one vector addition instead of d multiply-adds. Building tables keeps the multipliers busy and looking
// up keeps the loads busy, and no processor looks far enough ahead to overlap one after the other; so one loop does
// both at once, step by step: it looks up in the tables of one run of blocks while it builds those of the next.

#include <bitpq/kernel/arguments.hpp>
#include <bitpq/kernel/simd.hpp>

namespace bitpq {
inline namespace v1 {
namespace detail {

/// Rows and codewords of a tile, two vectors of sums each, and whether both fit the registers together; else rows and
/// codewords take turns.
template <class Arch>
struct lut_tile {
  static constexpr std::size_t rows = 4, words = 4;
  static constexpr bool together = false;  // 8 + 8 + 2 + 1 of 16 registers
};
template <>
struct lut_tile<arch_of<isa::avx512>::type> {
  static constexpr std::size_t rows = 4, words = 4;
  static constexpr bool together = true;
};
template <>
struct lut_tile<avx512vnni_arch> : lut_tile<arch_of<isa::avx512>::type> {};
template <>
struct lut_tile<arch_of<isa::neon64>::type> : lut_tile<arch_of<isa::avx512>::type> {};

/// Rows that look up, a block a step.
template <scalar T, class Arch, class Code, std::size_t Rows, std::size_t Vectors>
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
      const T* const entry = table_ + static_cast<std::size_t>(codes_[r]) * lut_width<T, Arch>;
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
template <scalar T, class Arch, std::size_t Words, std::size_t Vectors>
class build_words {
 public:
  BITPQ_FORCE_INLINE build_words(const T* words, std::size_t stride, const T* x, std::size_t ldx) noexcept
      : words_(words), stride_(stride), x_(x), ldx_(ldx) {
    BITPQ_UNROLL
    for (std::size_t w = 0; w < Words; ++w) {
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
      const typename s::vec value = s::set(words_[w * stride_]);
      BITPQ_UNROLL
      for (std::size_t v = 0; v < Vectors; ++v) sum_[w][v] = s::fma(value, right[v], sum_[w][v]);
    }
    ++words_;
    x_ += ldx_;
  }
  BITPQ_FORCE_INLINE void finish(T* table) const noexcept {
    BITPQ_UNROLL
    for (std::size_t w = 0; w < Words; ++w) {
      BITPQ_UNROLL
      for (std::size_t v = 0; v < Vectors; ++v) s::store(table + w * lut_width<T, Arch> + v * s::size, sum_[w][v]);
    }
  }

 private:
  using s = simd<T, Arch>;
  const T* words_;
  std::size_t stride_;
  const T* x_;
  std::size_t ldx_;
  typename s::vec sum_[Words][Vectors];
};

/// Tables that are being built, tile by tile.
template <scalar T, class Arch, std::size_t Words, std::size_t Vectors>
struct lut_builder {
  const T* book;
  std::size_t book_stride, codewords, d;
  const T* x;
  std::size_t ldx;
  T* table;
  std::size_t depth;     ///< still to build, this block's included
  std::size_t word = 0;  ///< next codeword of this block

  [[nodiscard]] BITPQ_FORCE_INLINE std::size_t tiles() const noexcept {
    return (depth + d - 1) / d * ((codewords + Words - 1) / Words);
  }
  [[nodiscard]] BITPQ_FORCE_INLINE bool whole_tile() const noexcept { return word + Words <= codewords; }
  [[nodiscard]] BITPQ_FORCE_INLINE std::size_t width() const noexcept { return depth < d ? depth : d; }
  [[nodiscard]] BITPQ_FORCE_INLINE T* entry() const noexcept { return table + word * lut_width<T, Arch>; }
  template <std::size_t Count>
  [[nodiscard]] BITPQ_FORCE_INLINE build_words<T, Arch, Count, Vectors> next() const noexcept {
    return {book + word * book_stride, book_stride, x, ldx};
  }
  template <std::size_t Count>
  BITPQ_FORCE_INLINE void build() noexcept {
    build_words<T, Arch, Count, Vectors> words = next<Count>();
    for (std::size_t k = width(); k > 0; --k) words.step();
    words.finish(entry());
    word += Count;
  }
  /// To the next block where this one is done.
  BITPQ_FORCE_INLINE void proceed() noexcept {
    if (word < codewords) return;
    depth -= width();
    word = 0;
    x += d * ldx;
    table += codewords * lut_width<T, Arch>;
  }
  BITPQ_FORCE_INLINE void tile() noexcept {
    if (whole_tile())
      build<Words>();
    else
      while (word < codewords) build<1>();
    proceed();
  }
};

template <std::size_t Rows, scalar T, class Arch, class Code, std::size_t Words, std::size_t Vectors>
void lut_rows(const lut_look_up<T, Code>& from, lut_builder<T, Arch, Words, Vectors> builder) noexcept {
  const std::size_t table_size = builder.codewords * lut_width<T, Arch>, blocks = from.blocks;
  const std::size_t steps = (from.rows + Rows - 1) / Rows, tiles = builder.tiles();
  std::size_t r = 0, due = 0, built = 0;
  for (; r + Rows <= from.rows; r += Rows) {
    look_up_rows<T, Arch, Code, Rows, Vectors> rows(from, table_size, r);
    due += tiles;
    if (lut_tile<Arch>::together && due >= steps && builder.whole_tile()) {
      build_words<T, Arch, Words, Vectors> words = builder.template next<Words>();
      const std::size_t width = builder.width(), both = blocks < width ? blocks : width;
      for (std::size_t i = 0; i < both; ++i) {
        words.step();
        rows.step();
      }
      for (std::size_t i = both; i < width; ++i) words.step();
      for (std::size_t i = both; i < blocks; ++i) rows.step();
      words.finish(builder.entry());
      builder.word += Words;
      builder.proceed();
      due -= steps;
      ++built;
    } else {
      for (std::size_t i = 0; i < blocks; ++i) rows.step();
    }
    rows.finish();
    for (; due >= steps; due -= steps, ++built) builder.tile();  // an even share of the tiles
  }
  for (; r < from.rows; ++r) {
    look_up_rows<T, Arch, Code, 1, Vectors> row(from, table_size, r);
    for (std::size_t i = 0; i < blocks; ++i) row.step();
    row.finish();
  }
  for (; built < tiles; ++built) builder.tile();
}

template <std::size_t Vectors, scalar T, class Arch, class Code>
void lut_vectors(const T* book, std::size_t book_stride, std::size_t codewords, std::size_t d,
                 const lut_look_up<T, Code>& from, const lut_build<T>& to) noexcept {
  constexpr std::size_t rows = lut_tile<Arch>::rows * 2 / Vectors, words = lut_tile<Arch>::words * 2 / Vectors;
  const lut_builder<T, Arch, words, Vectors> builder{book,      book_stride, codewords, d,
                                                     to.inputs, to.ld,       to.tables, to.depth};
  // Where there is more to build than to look up, fewer rows a tile spread the looking up over more of the building.
  if (lut_tile<Arch>::together && builder.tiles() * rows * 2 > from.rows * 3)
    lut_rows<rows / 2>(from, builder);
  else
    lut_rows<rows>(from, builder);
}

}  // namespace detail

/// Looks up and builds, see the two halves; either may be empty (rows or depth 0). Of lut_width columns the first
/// `columns` are wanted. The products of a block are summed in the order of its elements, the blocks in their order.
template <scalar T, class Arch, class Code>
void lut_step(const T* book, std::size_t book_stride, std::size_t codewords, std::size_t d, std::size_t columns,
              const lut_look_up<T, Code>& from, const lut_build<T>& to) noexcept {
  if (columns <= simd<T, Arch>::size)
    detail::lut_vectors<1, T, Arch>(book, book_stride, codewords, d, from, to);
  else
    detail::lut_vectors<2, T, Arch>(book, book_stride, codewords, d, from, to);
}

}  // namespace v1
}  // namespace bitpq
