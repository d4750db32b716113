// SPDX-License-Identifier: Apache-2.0
#pragma once

// The micro-kernel of every product that multiplies: rows of the left operand times a packed panel of the right one.
// The right operand is packed, so that a step of the depth loads whole vectors. The left operand is read element by
// element wherever it lies: in rows of dense weights, or in codewords, one code per block, so that compressed weights
// need no decoding pass at all. Gram matrices end here too.

#include <bitpq/kernel/panel_traffic.hpp>

namespace bitpq {
inline namespace v1 {
namespace detail {

/// Rows of a matrix in memory, in blocks of any width: between them a tile does what it need not do at every step.
template <scalar T>
struct dense_rows {
  static constexpr bool single = false;
  static constexpr std::size_t width = 16;
  const T* a;
  std::ptrdiff_t lda;

  BITPQ_FORCE_INLINE const T* block(std::size_t j, std::size_t r) const noexcept {
    return a + static_cast<std::ptrdiff_t>(r) * lda + j * width;
  }
  BITPQ_FORCE_INLINE dense_rows from(std::size_t r) const noexcept { return {block(0, r), lda}; }
};

/// Rows of codes, block j of row r being codeword codes[j * code_stride + r]. Single: of blocks of one element, one
/// after the other in the book.
template <scalar T, class Code, bool Single>
struct coded_rows {
  static constexpr bool single = Single;
  const T* book;
  std::size_t book_stride;
  const Code* codes;
  std::size_t code_stride;

  BITPQ_FORCE_INLINE const T* block(std::size_t j, std::size_t r) const noexcept {
    return book + static_cast<std::size_t>(codes[j * code_stride + r]) * (Single ? 1 : book_stride);
  }
  BITPQ_FORCE_INLINE coded_rows from(std::size_t r) const noexcept {
    return {book, book_stride, codes + r, code_stride};
  }
};

/// Whether tiles of that many rows and vectors store from registers: those that do most of the work.
template <class Arch, class Left, std::size_t Rows, std::size_t Vectors>
inline constexpr bool stores_registers =
    !Left::single && Rows == register_tile<Arch>::rows && Vectors == register_tile<Arch>::vectors;

/// Whether a step of the depth takes long enough to ask for a line beside it: of the widest tiles. Winograd's products
/// have nothing to ask for.
template <class Arch, class Left>
inline constexpr bool fetches_inputs = !Left::single && register_tile<Arch>::vectors == 4;

/// The vectors that hold a few columns where whole ones would be wasted on them: of AVX-512, whose vectors take
/// machines with units of 256 bits twice as long.
template <scalar T, class Arch>
struct few_columns {
  using arch = Arch;
  static constexpr std::size_t most = 0;
};
template <class Arch>
requires(simd<float, Arch>::size == 16) struct few_columns<float, Arch> {
  using arch = four_lanes_of<Arch>;
  static constexpr std::size_t most = 4;
};

/// One register tile: Rows x Vectors sums, and beside them a vector of a Few columns, over the whole depth, in blocks
/// of d; to `target`, if any, else to c.
template <scalar T, class Arch, std::size_t Rows, std::size_t Vectors, bool Few, class Left>
BITPQ_FORCE_INLINE void multiply_tile(const Left& left, const T* BITPQ_RESTRICT b, std::size_t ldb, T* BITPQ_RESTRICT c,
                                      std::ptrdiff_t ldc, std::size_t depth, std::size_t d, bool accumulate,
                                      fetched_column<T> fetched, const store_target<T>* target = nullptr) noexcept {
  using s = simd<T, Arch>;
  using n = simd<T, typename few_columns<T, Arch>::arch>;
  constexpr std::size_t lines = ceil_div(Vectors * s::size * sizeof(T), 64);
  typename s::vec sum[Rows][Vectors];
  typename n::vec few[Rows];
  BITPQ_UNROLL
  for (std::size_t r = 0; r < Rows; ++r) {
    const T* const from = c + static_cast<std::ptrdiff_t>(r) * ldc;
    BITPQ_UNROLL
    for (std::size_t v = 0; v < Vectors; ++v) sum[r][v] = accumulate ? s::load(from + v * s::size) : s::set(T{0});
    if constexpr (Few) few[r] = accumulate ? n::load(from + Vectors * s::size) : n::set(T{0});
  }
  for (std::size_t j = 0; depth > 0; ++j) {
    const std::size_t width = Left::single ? 1 : depth < d ? depth : d;
    depth -= width;
    const T* a[Rows];
    BITPQ_UNROLL
    for (std::size_t r = 0; r < Rows; ++r) a[r] = left.block(j, r);
    if constexpr (stores_registers<Arch, Left, Rows, Vectors>) {  // a line of each row, while others are on their way
      if (target != nullptr && j < lines) {
        BITPQ_UNROLL
        for (std::size_t r = 0; r < Rows; ++r) fetch_line(*target, r, j);
      }
    }
    for (std::size_t k = 0; k < width; ++k, b += ldb, fetched.at += fetched.row) {
      if constexpr (fetches_inputs<Arch, Left>) prefetch_later(fetched.at);
      typename s::vec right[Vectors];
      BITPQ_UNROLL
      for (std::size_t v = 0; v < Vectors; ++v) right[v] = s::load(b + v * s::size);
      typename n::vec right_few;
      if constexpr (Few) right_few = n::load(b + Vectors * s::size);
      BITPQ_UNROLL
      for (std::size_t r = 0; r < Rows; ++r) {
        const typename s::vec value = s::set(a[r][k]);
        BITPQ_UNROLL
        for (std::size_t v = 0; v < Vectors; ++v) sum[r][v] = s::fma(value, right[v], sum[r][v]);
        if constexpr (Few) few[r] = n::fma(n::set(a[r][k]), right_few, few[r]);
      }
    }
  }
  if constexpr (stores_registers<Arch, Left, Rows, Vectors>) {
    if (target != nullptr) {
      if (target->residual == nullptr)
        store_vectors<false, T, Arch>(sum, *target);
      else
        store_vectors<true, T, Arch>(sum, *target);
      return;
    }
  }
  BITPQ_UNROLL
  for (std::size_t r = 0; r < Rows; ++r) {
    T* const to = c + static_cast<std::ptrdiff_t>(r) * ldc;
    BITPQ_UNROLL
    for (std::size_t v = 0; v < Vectors; ++v) s::store(to + v * s::size, sum[r][v]);
    if constexpr (Few) n::store(to + Vectors * s::size, few[r]);
  }
}

/// The last rows: tries every smaller tile, so that each count runs from registers.
template <scalar T, class Arch, std::size_t Rows, std::size_t Vectors, class Left>
BITPQ_FORCE_INLINE void multiply_tail(const Left& left, const T* b, std::size_t ldb, T* c, std::ptrdiff_t ldc,
                                      std::size_t rows, std::size_t depth, std::size_t d, bool accumulate,
                                      const fetched_column<T>& fetched) noexcept {
  if constexpr (Rows > 0) {
    if (rows == Rows)
      multiply_tile<T, Arch, Rows, Vectors, false>(left, b, ldb, c, ldc, depth, d, accumulate, fetched);
    else
      multiply_tail<T, Arch, Rows - 1, Vectors>(left, b, ldb, c, ldc, rows, depth, d, accumulate, fetched);
  }
}

/// A tile of rows after the other. Each fetches a line of every row of the inputs to come, as long as there are any.
/// Sums that are stored at once have one place in the first-level cache, if there are none to add to. A few columns
/// beside the last rows take a whole vector.
template <scalar T, class Arch, std::size_t Vectors, bool Few, class Left>
void multiply_vectors(const Left& left, const T* b, std::size_t ldb, T* c, std::ptrdiff_t ldc, std::size_t rows,
                      std::size_t depth, std::size_t d, bool accumulate, const panel_traffic<T>& traffic) noexcept {
  constexpr std::size_t tile = register_tile<Arch>::rows, line = 64 / sizeof(T);
  const bool stores = traffic.output_runs > 0;
  const bool from_registers =
      stores_registers<Arch, Left, tile, Vectors> && stores_whole_vectors<Vectors, T, Arch>(traffic);
  std::size_t fetched = 0;
  for (std::size_t r = 0; r < rows; r += tile, fetched += line) {
    const std::size_t count = rows - r < tile ? rows - r : tile;
    T* const sums = stores && !accumulate ? c : c + static_cast<std::ptrdiff_t>(r) * ldc;
    const fetched_column<T> column = fetched < traffic.next_columns
                                         ? fetched_column<T>{traffic.next + fetched, traffic.next_row}
                                         : fetched_column<T>{b, 0};
    const bool at_once = from_registers && count == tile;
    const store_target<T> target = at_once ? target_of_row(traffic.outputs->to, r) : store_target<T>{};
    if (stores && !at_once) fetch_outputs(traffic, r, count);
    if (count == tile)
      multiply_tile<T, Arch, tile, Vectors, Few>(left.from(r), b, ldb, sums, ldc, depth, d, accumulate, column,
                                                 at_once ? &target : nullptr);
    else
      multiply_tail<T, Arch, tile - 1, Vectors + Few>(left.from(r), b, ldb, sums, ldc, count, depth, d, accumulate,
                                                      column);
    if (stores && !at_once) store_outputs<T, Arch>(traffic, r, count, sums, static_cast<std::size_t>(ldc));
  }
}

/// Only as many vectors as hold columns.
template <scalar T, class Arch, std::size_t Vectors, class Left>
BITPQ_FORCE_INLINE void multiply_live(const Left& left, const T* b, std::size_t ldb, T* c, std::ptrdiff_t ldc,
                                      std::size_t rows, std::size_t columns, std::size_t depth, std::size_t d,
                                      bool accumulate, const panel_traffic<T>& traffic) noexcept {
  constexpr std::size_t before = (Vectors - 1) * simd<T, Arch>::size;  // columns of all vectors but the last
  using few = few_columns<T, Arch>;
  if constexpr (Vectors > 1) {
    if (columns <= before)
      return multiply_live<T, Arch, Vectors - 1>(left, b, ldb, c, ldc, rows, columns, depth, d, accumulate, traffic);
    if constexpr (few::most > 0)
      if (columns <= before + few::most)
        return multiply_vectors<T, Arch, Vectors - 1, true>(left, b, ldb, c, ldc, rows, depth, d, accumulate, traffic);
  } else if constexpr (few::most > 0) {
    if (columns <= few::most)
      return multiply_vectors<T, typename few::arch, 1, false>(left, b, ldb, c, ldc, rows, depth, d, accumulate,
                                                               traffic);
  }
  multiply_vectors<T, Arch, Vectors, false>(left, b, ldb, c, ldc, rows, depth, d, accumulate, traffic);
}

}  // namespace detail

/// c (+)= a * b with a of rows x depth (row stride lda), b of depth rows (row stride ldb), of which the vectors that
/// hold the first `columns` are read, c of rows x panel_width (row stride ldc), of which the first `columns` are wanted
/// and whole vectors may be written. Without `accumulate` c is written only. Every element of c is one sum in the order
/// of the depth, whatever the tiling. Outputs of the traffic are stored; of c then only what `accumulate` reads is
/// needed, besides the first rows of a tile.
template <scalar T, class Arch>
void gemm_traffic(const T* a, std::ptrdiff_t lda, const T* b, std::size_t ldb, T* c, std::ptrdiff_t ldc,
                  std::size_t rows, std::size_t columns, std::size_t depth, bool accumulate,
                  const panel_traffic<T>& traffic) noexcept {
  detail::multiply_live<T, Arch, register_tile<Arch>::vectors>(detail::dense_rows<T>{a, lda}, b, ldb, c, ldc, rows,
                                                               columns, depth, detail::dense_rows<T>::width, accumulate,
                                                               traffic);
}

/// The same, without any traffic.
template <scalar T, class Arch>
void gemm_panel(const T* a, std::ptrdiff_t lda, const T* b, std::size_t ldb, T* c, std::ptrdiff_t ldc, std::size_t rows,
                std::size_t columns, std::size_t depth, bool accumulate) noexcept {
  gemm_traffic<T, Arch>(a, lda, b, ldb, c, ldc, rows, columns, depth, accumulate, {});
}

/// The same with a left operand of codes: a[r][j * d + i] = book[codes[j * code_stride + r] * book_stride + i]. The
/// last block may be cut off by the depth.
template <scalar T, class Arch, class Code>
void code_traffic(const T* book, std::size_t book_stride, const Code* codes, std::size_t code_stride, const T* b,
                  std::size_t ldb, T* c, std::ptrdiff_t ldc, std::size_t rows, std::size_t columns, std::size_t depth,
                  std::size_t d, bool accumulate, const panel_traffic<T>& traffic) noexcept {
  if (d == 1 && book_stride == 1)
    detail::multiply_live<T, Arch, register_tile<Arch>::vectors>(
        detail::coded_rows<T, Code, true>{book, book_stride, codes, code_stride}, b, ldb, c, ldc, rows, columns, depth,
        d, accumulate, traffic);
  else
    detail::multiply_live<T, Arch, register_tile<Arch>::vectors>(
        detail::coded_rows<T, Code, false>{book, book_stride, codes, code_stride}, b, ldb, c, ldc, rows, columns, depth,
        d, accumulate, traffic);
}

/// The same, without any traffic.
template <scalar T, class Arch, class Code>
void code_panel(const T* book, std::size_t book_stride, const Code* codes, std::size_t code_stride, const T* b,
                std::size_t ldb, T* c, std::ptrdiff_t ldc, std::size_t rows, std::size_t columns, std::size_t depth,
                std::size_t d, bool accumulate) noexcept {
  code_traffic<T, Arch, Code>(book, book_stride, codes, code_stride, b, ldb, c, ldc, rows, columns, depth, d,
                              accumulate, {});
}

}  // namespace v1
}  // namespace bitpq
