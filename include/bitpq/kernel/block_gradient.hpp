// SPDX-License-Identifier: Apache-2.0
#pragma once

// The gradient of codewords, a block position at a time, without the gradient of the weights. Rows that name the same
// codeword share its gradient, so their output gradients are added before they are multiplied with what the block
// reads: K products instead of one for each row. Both operands run along the columns, which are what is summed over,
// and are read where they lie.

#include <bitpq/kernel/arguments.hpp>
#include <bitpq/kernel/lane_sums.hpp>

namespace bitpq {
inline namespace v1 {
namespace detail {

/// total[k][w] += value[k] times a vector of row w of x.
template <std::size_t Codes, std::size_t Width, scalar T, class Arch>
BITPQ_FORCE_INLINE void add_products(const typename simd<T, Arch>::vec (&value)[Codes], const T* x, std::size_t ldx,
                                     typename simd<T, Arch>::vec (&total)[Codes][Width]) noexcept {
  using s = simd<T, Arch>;
  BITPQ_UNROLL
  for (std::size_t w = 0; w < Width; ++w) {
    const typename s::vec right = s::load(x + w * ldx);
    keep_loop();  // else it is read again for each product
    BITPQ_UNROLL
    for (std::size_t i = 0; i < Codes; ++i) total[i][w] = s::fma(value[i], right, total[i][w]);
  }
}

/// The sum of `count` rows of y, Vectors vectors of each: where the only one lies, else in dst.
template <std::size_t Vectors, scalar T, class Arch>
BITPQ_FORCE_INLINE const T* sum_rows(const T* y, std::size_t ldy, const std::uint32_t* rows, std::size_t count,
                                     T* BITPQ_RESTRICT dst) noexcept {
  using s = simd<T, Arch>;
  const T* from = y + std::size_t{rows[0]} * ldy;
  if (count == 1) return from;
  typename s::vec sum[Vectors];
  BITPQ_UNROLL
  for (std::size_t v = 0; v < Vectors; ++v) sum[v] = s::load(from + v * s::size);
  for (std::size_t r = 1; r < count; ++r) {
    from = y + std::size_t{rows[r]} * ldy;
    BITPQ_UNROLL
    for (std::size_t v = 0; v < Vectors; ++v) sum[v] = s::add(sum[v], s::load(from + v * s::size));
  }
  BITPQ_UNROLL
  for (std::size_t v = 0; v < Vectors; ++v) s::store(dst + v * s::size, sum[v]);
  return dst;
}

/// total[k][w] += the sums of the rows of Codes codes from k on, times Width rows of x; Vectors vectors from column c
/// on.
template <std::size_t Codes, std::size_t Width, std::size_t Vectors, scalar T, class Arch>
BITPQ_FORCE_INLINE void multiply_sums(const gradient_block<T>& b, std::size_t k, const T* x, std::size_t c,
                                      typename simd<T, Arch>::vec (&total)[Codes][Width]) noexcept {
  using s = simd<T, Arch>;
  const std::size_t ldx = b.ldx;
  T sums[Codes][Vectors * s::size];
  const T* left[Codes];
  BITPQ_UNROLL
  for (std::size_t i = 0; i < Codes; ++i) {
    const std::size_t begin = k + i == 0 ? 0 : b.ends[k + i - 1];
    left[i] = sum_rows<Vectors, T, Arch>(b.y + c, b.ldy, b.rows + begin, b.ends[k + i] - begin, sums[i]);
  }
  for (std::size_t v = 0; v < Vectors; ++v) {
    typename s::vec value[Codes];
    BITPQ_UNROLL
    for (std::size_t i = 0; i < Codes; ++i) value[i] = s::load(left[i] + v * s::size);
    add_products<Codes, Width, T, Arch>(value, x + c + v * s::size, ldx, total);
  }
}

/// The same for all columns: so few at a time that a processor begins the next sums while it multiplies these.
template <std::size_t Codes, std::size_t Width, scalar T, class Arch>
BITPQ_FORCE_INLINE void multiply_many_rows(const gradient_block<T>& b, std::size_t k, const T* x,
                                           typename simd<T, Arch>::vec (&total)[Codes][Width]) noexcept {
  constexpr std::size_t vectors = register_tile<Arch>::vectors;
  constexpr std::size_t step = vectors * simd<T, Arch>::size;
  std::size_t c = 0;
  for (; c + step <= b.n; c += step) multiply_sums<Codes, Width, vectors, T, Arch>(b, k, x, c, total);
  for (; c + 2 * simd<T, Arch>::size <= b.n; c += 2 * simd<T, Arch>::size)
    multiply_sums<Codes, Width, 2, T, Arch>(b, k, x, c, total);
  for (; c < b.n; c += simd<T, Arch>::size) multiply_sums<Codes, Width, 1, T, Arch>(b, k, x, c, total);
}

/// total[k][w] += the sums of the rows of Codes codes, Rows each and one after the other, times Width rows of x.
template <std::size_t Rows, std::size_t Codes, std::size_t Width, scalar T, class Arch>
BITPQ_FORCE_INLINE void multiply_few_rows(const gradient_block<T>& b, const std::uint32_t* rows, const T* x,
                                          typename simd<T, Arch>::vec (&total)[Codes][Width]) noexcept {
  using s = simd<T, Arch>;
  const std::size_t ldx = b.ldx, n = b.n;
  const T* from[Codes][Rows];
  BITPQ_UNROLL
  for (std::size_t i = 0; i < Codes; ++i) {
    BITPQ_UNROLL
    for (std::size_t r = 0; r < Rows; ++r) from[i][r] = b.y + std::size_t{rows[i * Rows + r]} * b.ldy;
  }
  for (std::size_t c = 0; c < n; c += s::size) {
    typename s::vec value[Codes];
    BITPQ_UNROLL
    for (std::size_t i = 0; i < Codes; ++i) {
      value[i] = s::load(from[i][0] + c);
      BITPQ_UNROLL
      for (std::size_t r = 1; r < Rows; ++r) value[i] = s::add(value[i], s::load(from[i][r] + c));
    }
    add_products<Codes, Width, T, Arch>(value, x + c, ldx, total);
  }
}

/// Rows of each of the codes [k, k + Codes), or 0 where they are not as many.
template <std::size_t Codes, scalar T>
BITPQ_FORCE_INLINE std::size_t rows_of_each(const gradient_block<T>& b, std::size_t k) noexcept {
  const std::size_t rows = k == 0 ? b.ends[0] : b.ends[k] - b.ends[k - 1];
  for (std::size_t i = 1; i < Codes; ++i)
    if (b.ends[k + i] - b.ends[k + i - 1] != rows) return 0;
  return rows;
}

/// sums[i][w] += total[i][w], as a vector each or the sum of its lanes.
template <std::size_t Codes, std::size_t Width, scalar T, class Arch>
BITPQ_FORCE_INLINE void add_totals(const typename simd<T, Arch>::vec (&total)[Codes][Width], T* const (&sums)[Codes],
                                   bool by_lane) noexcept {
  using s = simd<T, Arch>;
  if constexpr (lane_sums<T, Arch>::quick && Width % 4 == 0) {
    if (!by_lane) {
      lane_sums<T, Arch>::add(total, sums);
      return;
    }
  }
  BITPQ_UNROLL
  for (std::size_t i = 0; i < Codes; ++i) {
    BITPQ_UNROLL
    for (std::size_t w = 0; w < Width; ++w) {
      if (by_lane)
        s::store(sums[i] + w * s::size, s::add(s::load(sums[i] + w * s::size), total[i][w]));
      else
        sums[i][w] += s::sum(total[i][w]);
    }
  }
}

/// The codes [k, k + Codes) of a list with Width rows of the block from `first` on.
template <std::size_t Codes, std::size_t Width, scalar T, class Arch>
BITPQ_FORCE_INLINE void add_codes(const gradient_block<T>& b, std::size_t k, std::size_t first) noexcept {
  using s = simd<T, Arch>;
  const T* const x = b.x + first * b.ldx;
  const std::uint32_t* const rows = b.rows + (k == 0 ? 0 : b.ends[k - 1]);
  typename s::vec total[Codes][Width];
  BITPQ_UNROLL
  for (std::size_t i = 0; i < Codes; ++i) {
    BITPQ_UNROLL
    for (std::size_t w = 0; w < Width; ++w) total[i][w] = s::set(T{0});
  }
  switch (rows_of_each<Codes>(b, k)) {
    case 1: multiply_few_rows<1, Codes, Width, T, Arch>(b, rows, x, total); break;
    case 2: multiply_few_rows<2, Codes, Width, T, Arch>(b, rows, x, total); break;
    case 3: multiply_few_rows<3, Codes, Width, T, Arch>(b, rows, x, total); break;
    default: multiply_many_rows<Codes, Width, T, Arch>(b, k, x, total);
  }
  T* sums[Codes];
  BITPQ_UNROLL
  for (std::size_t i = 0; i < Codes; ++i)
    sums[i] = b.sums + (std::size_t{b.codes[k + i]} * b.d + first) * (b.by_lane ? s::size : 1);
  add_totals<Codes, Width, T, Arch>(total, sums, b.by_lane);
}

template <std::size_t Width, scalar T, class Arch>
void add_rows_of_block(const gradient_block<T>& b, std::size_t first) noexcept {
  constexpr std::size_t sums = register_tile<Arch>::rows * register_tile<Arch>::vectors, fitting = sums / Width;
  constexpr std::size_t codes = fitting < 1 ? 1 : fitting > 4 ? 4 : fitting;
  std::size_t k = 0;
  for (; k + codes <= b.count; k += codes) add_codes<codes, Width, T, Arch>(b, k, first);
  for (; k < b.count; ++k) add_codes<1, Width, T, Arch>(b, k, first);
}

/// Finds the instance for `width` rows of the block.
template <std::size_t Width, scalar T, class Arch>
BITPQ_FORCE_INLINE void add_some_rows(const gradient_block<T>& b, std::size_t first, std::size_t width) noexcept {
  if constexpr (Width > 1) {
    if (width < Width) {
      add_some_rows<Width - 1, T, Arch>(b, first, width);
      return;
    }
  }
  add_rows_of_block<Width, T, Arch>(b, first);
}

}  // namespace detail

/// For each code of the list, adds (the sum of its rows of y) times (row i of x) to its sum i < width, in vectors whose
/// lanes are added later or as a number each; see gradient_block. The order of the sums depends on the vectors alone.
template <scalar T, class Arch>
void add_block_gradient(const gradient_block<T>& b) noexcept {
  const std::size_t each = gradient_rows(b.width);
  for (std::size_t first = 0; first < b.width; first += each)
    detail::add_some_rows<most_gradient_rows, T, Arch>(b, first, b.width - first < each ? b.width - first : each);
}

}  // namespace v1
}  // namespace bitpq
