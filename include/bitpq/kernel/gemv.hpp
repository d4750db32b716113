// SPDX-License-Identifier: Apache-2.0
#pragma once

// A matrix-vector product from codes, exact and for every format: codewords are multiplied as they are decoded, out of
// a codebook that the first-level cache holds. Vectors are as wide as the codewords, not as wide as the machine's: a
// block of 8 in a vector of 16 would waste half of every multiplication.

#include <bitpq/kernel/simd.hpp>
#include <bitpq/kernel/table.hpp>

#include <bit>
#include <cstring>

namespace bitpq {
inline namespace v1 {

namespace detail {

/// Rows that one pass over some blocks multiplies: their codes are read as one word, their sums stay in registers.
template <std::size_t Columns>
inline constexpr std::size_t dot_tile = 8 / Columns;

/// The codes of `Rows` neighbouring rows.
template <class Code, std::size_t Rows>
struct code_run {
  static constexpr std::size_t each = 8 / sizeof(Code), count = Rows < each ? 1 : Rows / each;
  static constexpr std::uint64_t mask = (std::uint64_t{1} << (8 * sizeof(Code))) - 1;
  std::uint64_t words[count];

  BITPQ_FORCE_INLINE explicit code_run(const Code* p) noexcept {
    BITPQ_UNROLL
    for (std::size_t i = 0; i < count; ++i) {
      words[i] = 0;
      std::memcpy(&words[i], p + i * each, (Rows < each ? Rows : each) * sizeof(Code));
    }
  }
  [[nodiscard]] BITPQ_FORCE_INLINE std::size_t operator[](std::size_t t) const noexcept {
    const std::size_t at = std::endian::native == std::endian::little ? t % each : each - 1 - t % each;
    return (words[t / each] >> (8 * sizeof(Code) * at)) & mask;
  }
};

/// dot_rows for codewords of `Full` (0: any number of) vectors of `Width` and for `Columns` input columns.
template <scalar T, class Arch, class Code, std::size_t Width, std::size_t Full, std::size_t Columns>
struct dot_kernel {
  using s = simd<T, typename narrowed<T, Arch, Width>::type>;
  static constexpr std::size_t tile = dot_tile<Columns>, strip = gemv_rows, run = 32;
  static constexpr std::size_t each = Width * Columns;  ///< partial sums of a row

  /// Adds `blocks` blocks from `first` of `tile` rows to their partial sums.
  static BITPQ_FORCE_INLINE void add(const dot_operands<T, Code>& p, const Code* codes, std::size_t first,
                                     std::size_t blocks, T* BITPQ_RESTRICT partial) noexcept {
    const std::size_t full = Full == 0 ? p.vectors.full : Full;
    typename s::vec sum[tile][Columns];
    BITPQ_UNROLL
    for (std::size_t t = 0; t < tile; ++t) {
      BITPQ_UNROLL
      for (std::size_t c = 0; c < Columns; ++c) sum[t][c] = s::load(partial + t * each + c * Width);
    }
    const T* x = p.x + first * full * Width;
    codes += first * p.code_stride;
    for (std::size_t j = 0; j < blocks; ++j, codes += p.code_stride, x += full * Width) {
      const code_run<Code, tile> code(codes);
      for (std::size_t v = 0; v < full; ++v) {
        typename s::vec right[Columns];
        BITPQ_UNROLL
        for (std::size_t c = 0; c < Columns; ++c) right[c] = s::load(x + c * p.x_stride + v * Width);
        BITPQ_UNROLL
        for (std::size_t t = 0; t < tile; ++t) {
          const typename s::vec word = s::load(p.book + (code[t] * full + v) * Width);
          BITPQ_UNROLL
          for (std::size_t c = 0; c < Columns; ++c) sum[t][c] = s::fma(word, right[c], sum[t][c]);
        }
      }
    }
    BITPQ_UNROLL
    for (std::size_t t = 0; t < tile; ++t) {
      BITPQ_UNROLL
      for (std::size_t c = 0; c < Columns; ++c) s::store(partial + t * each + c * Width, sum[t][c]);
    }
  }

  /// The sum of the N elements at p, halves upon halves.
  template <std::size_t N>
  static BITPQ_FORCE_INLINE T fold(const T* p) noexcept {
    if constexpr (N == 1) {
      return p[0];
    } else if constexpr (N <= 4 || !narrows<T>) {
      T sum = p[0] + p[1];
      for (std::size_t i = 2; i + 1 < N; i += 2) sum += p[i] + p[i + 1];
      return sum;
    } else {
      using half = simd<T, typename narrowed<T, Arch, N / 2>::type>;
      T halves[N / 2];
      half::store(halves, half::add(half::load(p), half::load(p + N / 2)));
      return fold<N / 2>(halves);
    }
  }

  /// Walks the codes in strips of rows and runs of blocks: a strip's codes of one block are a cache line, which is to
  /// stay in the first-level cache until each of its tiles has been through the run.
  static BITPQ_FORCE_INLINE void rows(const dot_operands<T, Code>& p, T* BITPQ_RESTRICT y, std::size_t y_stride,
                                      std::size_t count, std::size_t blocks) noexcept {
    alignas(64) T partial[strip * each];
    for (std::size_t r = 0; r < count; r += strip) {
      const std::size_t live = count - r < strip ? count - r : strip;
      for (std::size_t i = 0; i < strip * each; ++i) partial[i] = T{0};
      for (std::size_t first = 0; first < blocks; first += run) {
        const std::size_t n = blocks - first < run ? blocks - first : run;
        for (std::size_t j = first + run; j < first + 2 * run && j < blocks; ++j)
          prefetch(p.codes + j * p.code_stride + r);
        for (std::size_t t = 0; t < live; t += tile) add(p, p.codes + r + t, first, n, partial + t * each);
      }
      for (std::size_t t = 0; t < live; ++t) {
        BITPQ_UNROLL
        for (std::size_t c = 0; c < Columns; ++c)
          y[c * y_stride + r + t] += fold<Width>(partial + t * each + c * Width);
      }
    }
  }
};

/// Finds the kernel for the number of vectors and columns.
template <scalar T, class Arch, class Code, std::size_t Width>
BITPQ_FORCE_INLINE void dot_width(const dot_operands<T, Code>& p, T* y, std::size_t y_stride, std::size_t rows,
                                  std::size_t blocks, std::size_t columns) noexcept {
  if (p.vectors.full == 1 && columns == 1)
    dot_kernel<T, Arch, Code, Width, 1, 1>::rows(p, y, y_stride, rows, blocks);
  else if (p.vectors.full == 1)
    dot_kernel<T, Arch, Code, Width, 1, 2>::rows(p, y, y_stride, rows, blocks);
  else if (columns == 1)
    dot_kernel<T, Arch, Code, Width, 0, 1>::rows(p, y, y_stride, rows, blocks);
  else
    dot_kernel<T, Arch, Code, Width, 0, 2>::rows(p, y, y_stride, rows, blocks);
}

}  // namespace detail

/// y[c * y_stride + r] += sum over j < blocks of book[codes[j][r]] . x[c][j], for r < rows and c < columns, of which
/// there are 1 or 2. The sum of a row is formed in the same order for either number of columns. vectors are
/// those of split_codeword.
template <scalar T, class Arch, class Code>
void dot_rows(const dot_operands<T, Code>& operands, T* y, std::size_t y_stride, std::size_t rows, std::size_t blocks,
              std::size_t columns) noexcept {
  constexpr std::size_t lanes = simd<T, Arch>::size;
  if constexpr (detail::narrows<T> && lanes >= 8)
    if (operands.vectors.width == 4)
      return detail::dot_width<T, Arch, Code, 4>(operands, y, y_stride, rows, blocks, columns);
  if constexpr (detail::narrows<T> && lanes >= 16)
    if (operands.vectors.width == 8)
      return detail::dot_width<T, Arch, Code, 8>(operands, y, y_stride, rows, blocks, columns);
  detail::dot_width<T, Arch, Code, lanes>(operands, y, y_stride, rows, blocks, columns);
}

}  // namespace v1
}  // namespace bitpq
