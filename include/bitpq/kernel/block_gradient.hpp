// SPDX-License-Identifier: Apache-2.0
#pragma once

// The gradient of codewords, a block position at a time, without the gradient of the weights. Rows that name the same
// codeword share its gradient, so their output gradients are added before they are multiplied with what the block
// reads: K products instead of one for each row. Both operands run along the columns, which are what is summed over,
// and are read where they lie.

#include <bitpq/kernel/arguments.hpp>
#include <bitpq/kernel/simd.hpp>

namespace bitpq {
inline namespace v1 {
namespace detail {

/// dst[c] = the sum of Count rows of y, or that added to what dst holds.
template <std::size_t Count, bool Accumulate, scalar T, class Arch>
BITPQ_FORCE_INLINE void add_few_rows(const T* y, std::size_t ldy, const std::uint32_t* rows, std::size_t n,
                                     T* BITPQ_RESTRICT dst) noexcept {
  using s = simd<T, Arch>;
  const T* from[Count];
  BITPQ_UNROLL
  for (std::size_t i = 0; i < Count; ++i) from[i] = y + std::size_t{rows[i]} * ldy;
  for (std::size_t c = 0; c < n; c += s::size) {
    typename s::vec sum = s::load(Accumulate ? dst + c : from[0] + c);
    BITPQ_UNROLL
    for (std::size_t i = Accumulate ? 0 : 1; i < Count; ++i) sum = s::add(sum, s::load(from[i] + c));
    s::store(dst + c, sum);
  }
}

/// The sum of `count` rows of y: where the only one lies, else in `dst`.
template <scalar T, class Arch>
BITPQ_FORCE_INLINE const T* sum_rows(const T* y, std::size_t ldy, const std::uint32_t* rows, std::size_t count,
                                     std::size_t n, T* dst) noexcept {
  switch (count) {
    case 1: return y + std::size_t{rows[0]} * ldy;
    case 2: add_few_rows<2, false, T, Arch>(y, ldy, rows, n, dst); return dst;
    case 3: add_few_rows<3, false, T, Arch>(y, ldy, rows, n, dst); return dst;
    default: add_few_rows<4, false, T, Arch>(y, ldy, rows, n, dst);
  }
  for (rows += 4, count -= 4; count >= 4; rows += 4, count -= 4) add_few_rows<4, true, T, Arch>(y, ldy, rows, n, dst);
  if (count == 3)
    add_few_rows<3, true, T, Arch>(y, ldy, rows, n, dst);
  else if (count == 2)
    add_few_rows<2, true, T, Arch>(y, ldy, rows, n, dst);
  else if (count == 1)
    add_few_rows<1, true, T, Arch>(y, ldy, rows, n, dst);
  return dst;
}

/// Adds the products of Codes rows with Width rows of x to the sums of each.
template <std::size_t Codes, std::size_t Width, scalar T, class Arch>
BITPQ_FORCE_INLINE void add_row_products(const T* const (&left)[Codes], const T* x, std::size_t ldx, std::size_t n,
                                         T* const (&sums)[Codes], bool by_lane) noexcept {
  using s = simd<T, Arch>;
  typename s::vec total[Codes][Width];
  BITPQ_UNROLL
  for (std::size_t k = 0; k < Codes; ++k) {
    BITPQ_UNROLL
    for (std::size_t w = 0; w < Width; ++w) total[k][w] = s::set(T{0});
  }
  for (std::size_t c = 0; c < n; c += s::size) {
    typename s::vec value[Codes];
    BITPQ_UNROLL
    for (std::size_t k = 0; k < Codes; ++k) value[k] = s::load(left[k] + c);
    BITPQ_UNROLL
    for (std::size_t w = 0; w < Width; ++w) {
      const typename s::vec right = s::load(x + w * ldx + c);
      BITPQ_UNROLL
      for (std::size_t k = 0; k < Codes; ++k) total[k][w] = s::fma(value[k], right, total[k][w]);
    }
  }
  BITPQ_UNROLL
  for (std::size_t k = 0; k < Codes; ++k) {
    BITPQ_UNROLL
    for (std::size_t w = 0; w < Width; ++w) {
      if (by_lane)
        s::store(sums[k] + w * s::size, s::add(s::load(sums[k] + w * s::size), total[k][w]));
      else
        sums[k][w] += s::sum(total[k][w]);
    }
  }
}

/// The codes [k, k + Codes) of a list with Width rows of the block from `first` on.
template <std::size_t Codes, std::size_t Width, scalar T, class Arch>
BITPQ_FORCE_INLINE void add_codes(const gradient_block<T>& b, std::size_t k, std::size_t first) noexcept {
  const std::size_t step = b.by_lane ? simd<T, Arch>::size : 1;
  const T* left[Codes];
  T* sums[Codes];
  BITPQ_UNROLL
  for (std::size_t i = 0; i < Codes; ++i) {
    const std::size_t begin = k + i == 0 ? 0 : b.ends[k + i - 1];
    left[i] = sum_rows<T, Arch>(b.y, b.ldy, b.rows + begin, b.ends[k + i] - begin, b.n, b.scratch + i * b.n);
    sums[i] = b.sums + (std::size_t{b.codes[k + i]} * b.d + first) * step;
  }
  add_row_products<Codes, Width, T, Arch>(left, b.x + first * b.ldx, b.ldx, b.n, sums, b.by_lane);
}

template <std::size_t Width, scalar T, class Arch>
void add_rows_of_block(const gradient_block<T>& b, std::size_t first) noexcept {
  constexpr std::size_t sums = register_tile<Arch>::rows * register_tile<Arch>::vectors, fitting = sums / Width;
  constexpr std::size_t codes = fitting < 1 ? 1 : fitting > max_gradient_codes ? max_gradient_codes : fitting;
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
  constexpr std::size_t most = 9;  // rows of the block that are multiplied at once
  const std::size_t pieces = (b.width + most - 1) / most, each = (b.width + pieces - 1) / pieces;
  for (std::size_t first = 0; first < b.width; first += each)
    detail::add_some_rows<most, T, Arch>(b, first, b.width - first < each ? b.width - first : each);
}

}  // namespace v1
}  // namespace bitpq
