// SPDX-License-Identifier: Apache-2.0
#pragma once

// Matrix-vector products from codes.

#include <bitpq/kernel/simd.hpp>

namespace bitpq {
inline namespace v1 {

/// y[r] += sum over j, i of book[codes[j][r]][i] * x[j][i] for r < rows: a matrix-vector product from codes. x holds
/// `blocks` blocks at the stride of the book, zero beyond d.
template <scalar T, class Arch, class Code>
void dot_rows(const T* BITPQ_RESTRICT book, std::size_t book_stride, const Code* BITPQ_RESTRICT codes,
              std::size_t code_stride, const T* BITPQ_RESTRICT x, T* BITPQ_RESTRICT y, std::size_t rows,
              std::size_t blocks) noexcept {
  using s = simd<T, Arch>;
  constexpr std::size_t tile = 4;  // independent sums that hide the latency of the multiply-add
  for (std::size_t r = 0; r < rows; r += tile) {
    const std::size_t live = rows - r < tile ? rows - r : tile;
    typename s::vec sum[tile];
    BITPQ_UNROLL
    for (std::size_t t = 0; t < tile; ++t) sum[t] = s::set(T{0});
    for (std::size_t j = 0; j < blocks; ++j) {
      const Code* code = codes + j * code_stride + r;
      const T* words[tile];
      BITPQ_UNROLL
      for (std::size_t t = 0; t < tile; ++t)
        words[t] = book + static_cast<std::size_t>(code[t < live ? t : 0]) * book_stride;
      for (std::size_t i = 0; i < book_stride; i += s::size) {
        const typename s::vec right = s::load(x + j * book_stride + i);
        BITPQ_UNROLL
        for (std::size_t t = 0; t < tile; ++t) sum[t] = s::fma(s::load(words[t] + i), right, sum[t]);
      }
    }
    for (std::size_t t = 0; t < live; ++t) y[r + t] += s::sum(sum[t]);
  }
}

}  // namespace v1
}  // namespace bitpq
