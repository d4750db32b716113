// SPDX-License-Identifier: Apache-2.0
#pragma once

// The micro-kernel of every product that multiplies: rows of the left operand times a packed panel of the right one.
// The right operand is packed, so that a step of the depth loads whole vectors. The left operand is read element by
// element wherever it lies: in rows of dense weights, or in codewords, one code per block, so that compressed weights
// need no decoding pass at all. Gram matrices end here too.

#include <bitpq/kernel/store.hpp>

#include <limits>

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

/// Inputs to fetch, an element of each row, one row per step of the depth.
template <scalar T>
struct fetched_column {
  const T* at;
  std::ptrdiff_t row;
};

/// Stores a tile of sums as store_rows does, bit for bit, to neighbours in memory: of all rows a scale, perhaps of one,
/// and where there is no activation the least is what nothing is below.
template <bool Residual, scalar T, class Arch, std::size_t Rows, std::size_t Vectors>
BITPQ_FORCE_INLINE void store_tile(const typename simd<T, Arch>::vec (&sum)[Rows][Vectors],
                                   const store_target<T>& to) noexcept {
  using s = simd<T, Arch>;
  const typename s::vec least = s::set(to.relu ? T{0} : -std::numeric_limits<T>::infinity());
  BITPQ_UNROLL
  for (std::size_t r = 0; r < Rows; ++r) {
    const auto row = static_cast<std::ptrdiff_t>(r);
    const typename s::vec scale = s::set(to.scale == nullptr ? T{1} : to.scale[r]);
    const typename s::vec bias = s::set(to.bias == nullptr ? T{0} : to.bias[r]);
    BITPQ_UNROLL
    for (std::size_t v = 0; v < Vectors; ++v) {
      typename s::vec y = s::fma(sum[r][v], scale, bias);
      if constexpr (Residual) y = s::add(y, s::load(to.residual + row * to.residual_row + v * s::size));
      s::store(to.y + row * to.y_row + v * s::size, s::select(s::less(y, least), least, y));
    }
  }
}

/// Fetches line j of each row of a tile's outputs, and of what is added to them: a line at a time, while others are on
/// their way.
template <scalar T, class Arch, std::size_t Rows>
BITPQ_FORCE_INLINE void fetch_line(const store_target<T>& to, std::size_t j) noexcept {
  const std::size_t at = j * (64 / sizeof(T));
  BITPQ_UNROLL
  for (std::size_t r = 0; r < Rows; ++r) {
    const auto row = static_cast<std::ptrdiff_t>(r);
    prefetch_for_write(to.y + row * to.y_row + at);
    if (to.residual != nullptr) prefetch(to.residual + row * to.residual_row + at);
  }
}

/// Whether tiles of that many rows and vectors store from registers: those that do most of the work.
template <class Arch, std::size_t Rows, std::size_t Vectors>
inline constexpr bool stores_registers = Rows == register_tile<Arch>::rows&& Vectors == register_tile<Arch>::vectors;

/// One register tile: Rows x Vectors sums over the whole depth, in blocks of d; to `target`, if any, else to c.
template <scalar T, class Arch, std::size_t Rows, std::size_t Vectors, class Left>
BITPQ_FORCE_INLINE void multiply_tile(const Left& left, const T* BITPQ_RESTRICT b, std::size_t ldb, T* BITPQ_RESTRICT c,
                                      std::ptrdiff_t ldc, std::size_t depth, std::size_t d, bool accumulate,
                                      fetched_column<T> fetched, const store_target<T>* target = nullptr) noexcept {
  using s = simd<T, Arch>;
  typename s::vec sum[Rows][Vectors];
  BITPQ_UNROLL
  for (std::size_t r = 0; r < Rows; ++r) {
    BITPQ_UNROLL
    for (std::size_t v = 0; v < Vectors; ++v)
      sum[r][v] = accumulate ? s::load(c + static_cast<std::ptrdiff_t>(r) * ldc + v * s::size) : s::set(T{0});
  }
  constexpr std::size_t lines = Vectors * s::size * sizeof(T) / 64;
  for (std::size_t j = 0; depth > 0; ++j) {
    const std::size_t width = Left::single ? 1 : depth < d ? depth : d;
    depth -= width;
    const T* a[Rows];
    BITPQ_UNROLL
    for (std::size_t r = 0; r < Rows; ++r) a[r] = left.block(j, r);
    if constexpr (stores_registers<Arch, Rows, Vectors>) {
      if (target != nullptr && j < lines) fetch_line<T, Arch, Rows>(*target, j);
    }
    for (std::size_t k = 0; k < width; ++k, b += ldb, fetched.at += fetched.row) {
      prefetch_later(fetched.at);
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
  if constexpr (stores_registers<Arch, Rows, Vectors>) {
    if (target != nullptr) {
      if (target->residual == nullptr)
        store_tile<false, T, Arch>(sum, *target);
      else
        store_tile<true, T, Arch>(sum, *target);
      return;
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
                                      std::size_t rows, std::size_t depth, std::size_t d, bool accumulate,
                                      const fetched_column<T>& fetched) noexcept {
  if constexpr (Rows > 0) {
    if (rows == Rows)
      multiply_tile<T, Arch, Rows, Vectors>(left, b, ldb, c, ldc, depth, d, accumulate, fetched);
    else
      multiply_tail<T, Arch, Rows - 1, Vectors>(left, b, ldb, c, ldc, rows, depth, d, accumulate, fetched);
  }
}

/// The place of row r's outputs.
template <scalar T>
BITPQ_FORCE_INLINE store_target<T> target_of_row(const store_target<T>& to, std::size_t r) noexcept {
  const auto row = static_cast<std::ptrdiff_t>(r);
  store_target<T> target = to;
  target.y += row * to.y_row;
  if (to.bias != nullptr) target.bias += r;
  if (to.residual != nullptr) target.residual += row * to.residual_row;
  if (to.scale != nullptr) target.scale += r;
  return target;
}

/// Fetches what storing rows [r, r + rows) will touch, while they are multiplied. Outputs with others between them are
/// left to the hardware.
template <scalar T>
BITPQ_FORCE_INLINE void fetch_outputs(const panel_traffic<T>& traffic, std::size_t r, std::size_t rows) noexcept {
  constexpr std::size_t line = 64 / sizeof(T);
  for (const store_run<T>* run = traffic.outputs; run != traffic.outputs + traffic.output_runs; ++run) {
    if (run->to.y_column != 1) continue;
    const store_target<T> to = target_of_row(run->to, r);
    for (std::size_t i = 0; i < rows; ++i)
      for (std::size_t c = 0; c < run->length; c += line) {
        const auto row = static_cast<std::ptrdiff_t>(i);
        prefetch_for_write(to.y + row * to.y_row + c);
        if (to.residual != nullptr) prefetch(to.residual + row * to.residual_row + c);
      }
  }
}

/// Stores rows [r, r + rows), whose sums lie at row stride ld.
template <scalar T, class Arch>
BITPQ_FORCE_INLINE void store_outputs(const panel_traffic<T>& traffic, std::size_t r, std::size_t rows, const T* sums,
                                      std::size_t ld) noexcept {
  for (const store_run<T>* run = traffic.outputs; run != traffic.outputs + traffic.output_runs; ++run)
    store_rows<T, Arch>(sums + run->first, ld, rows, run->length, target_of_row(run->to, r));
}

/// A tile of rows after the other. Each fetches a line of every row of the inputs to come, as long as there are any.
/// Sums that are stored at once have one place in the first-level cache, if there are none to add to.
template <scalar T, class Arch, std::size_t Vectors, class Left>
void multiply_vectors(const Left& left, const T* b, std::size_t ldb, T* c, std::ptrdiff_t ldc, std::size_t rows,
                      std::size_t depth, std::size_t d, bool accumulate, const panel_traffic<T>& traffic) noexcept {
  constexpr std::size_t tile = register_tile<Arch>::rows, line = 64 / sizeof(T);
  const bool stores = traffic.output_runs > 0;
  const bool from_registers = stores_registers<Arch, tile, Vectors> && traffic.output_runs == 1 &&
                              traffic.outputs->length == Vectors * simd<T, Arch>::size &&
                              is_contiguous(traffic.outputs->to);
  std::size_t fetched = 0;
  for (std::size_t r = 0; r < rows; r += tile, fetched += line) {
    const std::size_t count = rows - r < tile ? rows - r : tile;
    T* const sums = stores && !accumulate ? c : c + static_cast<std::ptrdiff_t>(r) * ldc;
    const fetched_column<T> column = fetched < traffic.next_columns
                                         ? fetched_column<T>{traffic.next + fetched, traffic.next_row}
                                         : fetched_column<T>{b, 0};
    const bool direct = from_registers && count == tile;
    if (stores && !direct) fetch_outputs(traffic, r, count);
    const store_target<T> target = direct ? target_of_row(traffic.outputs->to, r) : store_target<T>{};
    if (count == tile)
      multiply_tile<T, Arch, tile, Vectors>(left.from(r), b, ldb, sums, ldc, depth, d, accumulate, column,
                                            direct ? &target : nullptr);
    else
      multiply_tail<T, Arch, tile - 1, Vectors>(left.from(r), b, ldb, sums, ldc, count, depth, d, accumulate, column);
    if (stores && !direct) store_outputs<T, Arch>(traffic, r, count, sums, static_cast<std::size_t>(ldc));
  }
}

/// Only as many vectors as hold columns.
template <scalar T, class Arch, std::size_t Vectors, class Left>
BITPQ_FORCE_INLINE void multiply_live(const Left& left, const T* b, std::size_t ldb, T* c, std::ptrdiff_t ldc,
                                      std::size_t rows, std::size_t columns, std::size_t depth, std::size_t d,
                                      bool accumulate, const panel_traffic<T>& traffic) noexcept {
  if constexpr (Vectors > 1) {
    if (columns <= (Vectors - 1) * simd<T, Arch>::size) {
      multiply_live<T, Arch, Vectors - 1>(left, b, ldb, c, ldc, rows, columns, depth, d, accumulate, traffic);
      return;
    }
  }
  multiply_vectors<T, Arch, Vectors>(left, b, ldb, c, ldc, rows, depth, d, accumulate, traffic);
}

}  // namespace detail

/// c (+)= a * b with a of rows x depth (row stride lda), b a packed panel of depth x panel_width (row stride ldb), c of
/// rows x panel_width (row stride ldc), of which the first `columns` are wanted and whole vectors are written. Without
/// `accumulate` c is written only. Every element of c is one sum in the order of the depth, whatever the tiling. Outputs
/// of the traffic are stored; of c then only what `accumulate` reads is needed, besides the first rows of a tile.
template <scalar T, class Arch>
void gemm_traffic(const T* a, std::ptrdiff_t lda, const T* b, std::size_t ldb, T* c, std::ptrdiff_t ldc,
                  std::size_t rows, std::size_t columns, std::size_t depth, bool accumulate,
                  const panel_traffic<T>& traffic) noexcept {
  detail::multiply_live<T, Arch, register_tile<Arch>::vectors>(detail::dense_rows<T>{a, lda}, b, ldb, c, ldc, rows,
                                                               columns, depth, detail::dense_rows<T>::width, accumulate, traffic);
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
