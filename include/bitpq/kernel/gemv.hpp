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

/// The architecture whose vectors have `Width` elements of T.
template <scalar T, class Arch, std::size_t Width>
struct narrowed {
  using type = Arch;
  static_assert(Width == simd<T, Arch>::size);
};
template <scalar T, class Arch, std::size_t Width>
requires(Width < simd<T, Arch>::size) struct narrowed<T, Arch, Width> {
  using type = std::conditional_t<Width == 1, scalar_arch,
                                  std::conditional_t<Width == 8, arch_of<isa::avx2>::type, narrow_x86_arch>>;
};
template <scalar T>
struct narrowed<T, arch_of<isa::sse2>::type, 1> {
  using type = scalar_arch;
};
template <scalar T>
struct narrowed<T, arch_of<isa::neon64>::type, 1> {
  using type = scalar_arch;
};

/// Whether vectors narrower than the widest are used: for floats. Doubles are padded.
template <scalar T>
inline constexpr bool narrows = std::is_same_v<T, float>;

/// Rows that one pass over some blocks multiplies: their codes are read as one word, their sums stay in registers.
template <class Arch, std::size_t Columns, std::size_t Tail>
inline constexpr std::size_t dot_tile = [] {
  constexpr bool many = std::is_same_v<Arch, arch_of<isa::avx512>::type> || std::is_same_v<Arch, avx512vnni_arch> ||
                        std::is_same_v<Arch, arch_of<isa::neon64>::type>;
  const std::size_t sums = many ? 16 : 8;  // of 32 and 16 registers
  const std::size_t rows = sums / (Columns * (Tail > 0 ? 2 : 1));
  return rows < 2 ? std::size_t{2} : rows > 8 ? std::size_t{8} : rows;
}();

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

/// dot_rows for codewords of `Full` (0: any number of) vectors of `Width` and a tail, and `Columns` input columns.
template <scalar T, class Arch, class Code, std::size_t Width, std::size_t Full, std::size_t Tail, std::size_t Columns>
struct dot_kernel {
  using head = simd<T, typename narrowed<T, Arch, Width>::type>;
  using tail = simd<T, typename narrowed<T, Arch, Tail == 0 ? Width : Tail>::type>;
  static constexpr std::size_t tile = dot_tile<Arch, Columns, Tail>;
  static constexpr std::size_t strip = gemv_rows, run = 32;
  static constexpr std::size_t each = (Width + Tail) * Columns;  ///< partial sums of a row

  /// Adds blocks [0, blocks) of `tile` rows to their partial sums.
  static BITPQ_FORCE_INLINE void add(const dot_operands<T, Code>& p, const Code* codes, std::size_t first,
                                     std::size_t blocks, T* BITPQ_RESTRICT partial) noexcept {
    const std::size_t full = Full == 0 ? p.parts.full : Full;
    typename head::vec sum[tile][Columns];
    typename tail::vec rest[Tail == 0 ? 1 : tile][Columns];
    BITPQ_UNROLL
    for (std::size_t t = 0; t < tile; ++t) {
      BITPQ_UNROLL
      for (std::size_t c = 0; c < Columns; ++c) {
        sum[t][c] = head::load(partial + t * each + c * Width);
        if constexpr (Tail > 0) rest[t][c] = tail::load(partial + t * each + Columns * Width + c * Tail);
      }
    }
    const T* x = p.head_input + first * full * Width;
    const T* x_tail = p.tail_input + first * Tail;
    codes += first * p.code_stride;
    for (std::size_t j = 0; j < blocks; ++j, codes += p.code_stride, x += full * Width, x_tail += Tail) {
      const code_run<Code, tile> code(codes);
      for (std::size_t v = 0; v < full; ++v) {
        typename head::vec right[Columns];
        BITPQ_UNROLL
        for (std::size_t c = 0; c < Columns; ++c) right[c] = head::load(x + c * p.head_stride + v * Width);
        BITPQ_UNROLL
        for (std::size_t t = 0; t < tile; ++t) {
          const typename head::vec word = head::load(p.heads + (code[t] * full + v) * Width);
          BITPQ_UNROLL
          for (std::size_t c = 0; c < Columns; ++c) sum[t][c] = head::fma(word, right[c], sum[t][c]);
        }
      }
      if constexpr (Tail > 0) {
        typename tail::vec right[Columns];
        BITPQ_UNROLL
        for (std::size_t c = 0; c < Columns; ++c) right[c] = tail::load(x_tail + c * p.tail_stride);
        BITPQ_UNROLL
        for (std::size_t t = 0; t < tile; ++t) {
          const typename tail::vec word = tail::load(p.tails + code[t] * Tail);
          BITPQ_UNROLL
          for (std::size_t c = 0; c < Columns; ++c) rest[t][c] = tail::fma(word, right[c], rest[t][c]);
        }
      }
    }
    BITPQ_UNROLL
    for (std::size_t t = 0; t < tile; ++t) {
      BITPQ_UNROLL
      for (std::size_t c = 0; c < Columns; ++c) {
        head::store(partial + t * each + c * Width, sum[t][c]);
        if constexpr (Tail > 0) tail::store(partial + t * each + Columns * Width + c * Tail, rest[t][c]);
      }
    }
  }

  /// The sum of the first Width or Tail elements at p, of which narrower and narrower vectors take the halves.
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
        const Code* next = p.codes + (first + run) * p.code_stride + r;
        if (first + run < blocks)
          for (std::size_t j = 0; j < run && first + run + j < blocks; ++j) prefetch(next + j * p.code_stride);
        for (std::size_t t = 0; t < live; t += tile) add(p, p.codes + r + t, first, n, partial + t * each);
      }
      for (std::size_t t = 0; t < live; ++t) {
        BITPQ_UNROLL
        for (std::size_t c = 0; c < Columns; ++c) {
          T sum = fold<Width>(partial + t * each + c * Width);
          if constexpr (Tail > 0) sum += fold<Tail>(partial + t * each + Columns * Width + c * Tail);
          y[c * y_stride + r + t] += sum;
        }
      }
    }
  }
};

/// Finds the kernel for the number of vectors and columns.
template <scalar T, class Arch, class Code, std::size_t Width, std::size_t Tail>
BITPQ_FORCE_INLINE void dot_parts(const dot_operands<T, Code>& p, T* y, std::size_t y_stride, std::size_t rows,
                                  std::size_t blocks, std::size_t columns) noexcept {
  if (narrows<T> && p.parts.full == 1) {
    if (columns == 1)
      dot_kernel<T, Arch, Code, Width, 1, Tail, 1>::rows(p, y, y_stride, rows, blocks);
    else
      dot_kernel<T, Arch, Code, Width, 1, Tail, 2>::rows(p, y, y_stride, rows, blocks);
  } else {
    if (columns == 1)
      dot_kernel<T, Arch, Code, Width, 0, Tail, 1>::rows(p, y, y_stride, rows, blocks);
    else
      dot_kernel<T, Arch, Code, Width, 0, Tail, 2>::rows(p, y, y_stride, rows, blocks);
  }
}

/// Finds the kernel for the tail.
template <scalar T, class Arch, class Code, std::size_t Width>
BITPQ_FORCE_INLINE void dot_tails(const dot_operands<T, Code>& p, T* y, std::size_t y_stride, std::size_t rows,
                                  std::size_t blocks, std::size_t columns) noexcept {
  if constexpr (narrows<T> && Width > 1)
    if (p.parts.tail == 1) return dot_parts<T, Arch, Code, Width, 1>(p, y, y_stride, rows, blocks, columns);
  if constexpr (narrows<T> && Width > 4)
    if (p.parts.tail == 4) return dot_parts<T, Arch, Code, Width, 4>(p, y, y_stride, rows, blocks, columns);
  if constexpr (narrows<T> && Width > 8)
    if (p.parts.tail == 8) return dot_parts<T, Arch, Code, Width, 8>(p, y, y_stride, rows, blocks, columns);
  dot_parts<T, Arch, Code, Width, 0>(p, y, y_stride, rows, blocks, columns);
}

}  // namespace detail

/// y[c * y_stride + r] += sum over j < blocks of book[codes[j][r]] . x[c][j], for r < rows and c < columns, of which
/// there are 1 or 2. The sum of a row is formed in the same order for either number of columns. parts are those of
/// split_codeword.
template <scalar T, class Arch, class Code>
void dot_rows(const dot_operands<T, Code>& operands, T* y, std::size_t y_stride, std::size_t rows, std::size_t blocks,
              std::size_t columns) noexcept {
  constexpr std::size_t lanes = simd<T, Arch>::size;
  if constexpr (detail::narrows<T> && lanes >= 8)
    if (operands.parts.width == 4)
      return detail::dot_tails<T, Arch, Code, 4>(operands, y, y_stride, rows, blocks, columns);
  if constexpr (detail::narrows<T> && lanes >= 16)
    if (operands.parts.width == 8)
      return detail::dot_tails<T, Arch, Code, 8>(operands, y, y_stride, rows, blocks, columns);
  detail::dot_tails<T, Arch, Code, lanes>(operands, y, y_stride, rows, blocks, columns);
}

}  // namespace v1
}  // namespace bitpq
