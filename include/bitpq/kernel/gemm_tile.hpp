// SPDX-License-Identifier: Apache-2.0
#pragma once

// The micro-kernel of every product that multiplies: rows of the left operand times a packed panel of the right one.
// The right operand is packed, so that a step of the depth loads whole vectors. The left operand is read element by
// element wherever it lies: in rows of dense weights, or in codewords, one code per block, so that compressed weights
// need no decoding pass at all. Gram matrices end here too.

#include <bitpq/kernel/simd.hpp>

namespace bitpq {
inline namespace v1 {
namespace detail {

/// Rows of a matrix in memory: one block as wide as the depth.
template <scalar T>
struct dense_rows {
  static constexpr bool single = false;
  const T* a;
  std::ptrdiff_t lda;

  BITPQ_FORCE_INLINE const T* block(std::size_t /*j*/, std::size_t r) const noexcept {
    return a + static_cast<std::ptrdiff_t>(r) * lda;
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

/// One register tile: Rows x Vectors sums over the whole depth, in blocks of d.
template <scalar T, class Arch, std::size_t Rows, std::size_t Vectors, class Left>
BITPQ_FORCE_INLINE void multiply_tile(const Left& left, const T* BITPQ_RESTRICT b, std::size_t ldb, T* BITPQ_RESTRICT c,
                                      std::ptrdiff_t ldc, std::size_t depth, std::size_t d, bool accumulate) noexcept {
  using s = simd<T, Arch>;
  typename s::vec sum[Rows][Vectors];
  BITPQ_UNROLL
  for (std::size_t r = 0; r < Rows; ++r) {
    BITPQ_UNROLL
    for (std::size_t v = 0; v < Vectors; ++v)
      sum[r][v] = accumulate ? s::load(c + static_cast<std::ptrdiff_t>(r) * ldc + v * s::size) : s::set(T{0});
  }
  for (std::size_t j = 0; depth > 0; ++j) {
    const std::size_t width = Left::single ? 1 : depth < d ? depth : d;
    depth -= width;
    const T* a[Rows];
    BITPQ_UNROLL
    for (std::size_t r = 0; r < Rows; ++r) a[r] = left.block(j, r);
    for (std::size_t k = 0; k < width; ++k, b += ldb) {
      typename s::vec right[Vectors];
      BITPQ_UNROLL
      for (std::size_t v = 0; v < Vectors; ++v) right[v] = s::load(b + v * s::size);
      BITPQ_UNROLL
      for (std::size_t r = 0; r < Rows; ++r) {
        const typename s::vec value = s::set(a[r][k]);
        BITPQ_UNROLL
        for (std::size_t v = 0; v < Vectors; ++v) sum[r][v] = s::fma(value, right[v], sum[r][v]);
      }
    }
  }
  BITPQ_UNROLL
  for (std::size_t r = 0; r < Rows; ++r) {
    BITPQ_UNROLL
    for (std::size_t v = 0; v < Vectors; ++v)
      s::store(c + static_cast<std::ptrdiff_t>(r) * ldc + v * s::size, sum[r][v]);
  }
}

/// The last rows: tries every smaller tile, so that each count runs from registers.
template <scalar T, class Arch, std::size_t Rows, std::size_t Vectors, class Left>
BITPQ_FORCE_INLINE void multiply_tail(const Left& left, const T* b, std::size_t ldb, T* c, std::ptrdiff_t ldc,
                                      std::size_t rows, std::size_t depth, std::size_t d, bool accumulate) noexcept {
  if constexpr (Rows > 0) {
    if (rows == Rows)
      multiply_tile<T, Arch, Rows, Vectors>(left, b, ldb, c, ldc, depth, d, accumulate);
    else
      multiply_tail<T, Arch, Rows - 1, Vectors>(left, b, ldb, c, ldc, rows, depth, d, accumulate);
  }
}

template <scalar T, class Arch, std::size_t Vectors, class Left>
void multiply_vectors(const Left& left, const T* b, std::size_t ldb, T* c, std::ptrdiff_t ldc, std::size_t rows,
                      std::size_t depth, std::size_t d, bool accumulate) noexcept {
  constexpr std::size_t tile = register_tile<Arch>::rows;
  std::size_t r = 0;
  for (; r + tile <= rows; r += tile)
    multiply_tile<T, Arch, tile, Vectors>(left.from(r), b, ldb, c + static_cast<std::ptrdiff_t>(r) * ldc, ldc, depth, d,
                                          accumulate);
  multiply_tail<T, Arch, tile - 1, Vectors>(left.from(r), b, ldb, c + static_cast<std::ptrdiff_t>(r) * ldc, ldc,
                                            rows - r, depth, d, accumulate);
}

/// Only as many vectors as hold columns.
template <scalar T, class Arch, std::size_t Vectors, class Left>
BITPQ_FORCE_INLINE void multiply_live(const Left& left, const T* b, std::size_t ldb, T* c, std::ptrdiff_t ldc,
                                      std::size_t rows, std::size_t columns, std::size_t depth, std::size_t d,
                                      bool accumulate) noexcept {
  if constexpr (Vectors > 1) {
    if (columns <= (Vectors - 1) * simd<T, Arch>::size) {
      multiply_live<T, Arch, Vectors - 1>(left, b, ldb, c, ldc, rows, columns, depth, d, accumulate);
      return;
    }
  }
  multiply_vectors<T, Arch, Vectors>(left, b, ldb, c, ldc, rows, depth, d, accumulate);
}

}  // namespace detail

/// c (+)= a * b with a of rows x depth (row stride lda), b a packed panel of depth x panel_width (row stride ldb), c of
/// rows x panel_width (row stride ldc), of which the first `columns` are wanted and whole vectors are written. Without
/// `accumulate` c is written only. Every element of c is one sum in the order of the depth, whatever the tiling.
template <scalar T, class Arch>
void gemm_panel(const T* a, std::ptrdiff_t lda, const T* b, std::size_t ldb, T* c, std::ptrdiff_t ldc, std::size_t rows,
                std::size_t columns, std::size_t depth, bool accumulate) noexcept {
  detail::multiply_live<T, Arch, register_tile<Arch>::vectors>(detail::dense_rows<T>{a, lda}, b, ldb, c, ldc, rows,
                                                               columns, depth, depth, accumulate);
}

/// The same with a left operand of codes: a[r][j * d + i] = book[codes[j * code_stride + r] * book_stride + i]. The
/// last block may be cut off by the depth.
template <scalar T, class Arch, class Code>
void code_panel(const T* book, std::size_t book_stride, const Code* codes, std::size_t code_stride, const T* b,
                std::size_t ldb, T* c, std::ptrdiff_t ldc, std::size_t rows, std::size_t columns, std::size_t depth,
                std::size_t d, bool accumulate) noexcept {
  if (d == 1 && book_stride == 1)
    detail::multiply_live<T, Arch, register_tile<Arch>::vectors>(
        detail::coded_rows<T, Code, true>{book, book_stride, codes, code_stride}, b, ldb, c, ldc, rows, columns, depth,
        d, accumulate);
  else
    detail::multiply_live<T, Arch, register_tile<Arch>::vectors>(
        detail::coded_rows<T, Code, false>{book, book_stride, codes, code_stride}, b, ldb, c, ldc, rows, columns, depth,
        d, accumulate);
}

}  // namespace v1
}  // namespace bitpq
