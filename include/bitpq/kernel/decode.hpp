// SPDX-License-Identifier: Apache-2.0
#pragma once

// Decoding: from codes to rows of weights, one vector copy per codeword. Codes lie as [block][row], so that the codes
// of neighbouring rows share a cache line; codewords lie at a stride of whole vectors, zero-padded.

#include <bitpq/kernel/simd.hpp>

namespace bitpq {
inline namespace v1 {

/// weights[r][j * d .. j * d + d) = book[codes[j][r]] for r < rows, j < blocks. A row of `weights` is ldw elements and
/// must have room for blocks * d rounded up by one vector: copies are whole vectors, each cut off by the next.
template <scalar T, class Arch, class Code>
void decode_rows(const T* BITPQ_RESTRICT book, std::size_t book_stride, const Code* BITPQ_RESTRICT codes,
                 std::size_t code_stride, T* BITPQ_RESTRICT weights, std::size_t ldw, std::size_t rows,
                 std::size_t blocks, std::size_t d) noexcept {
  using s = simd<T, Arch>;
  for (std::size_t r = 0; r < rows; ++r) {
    T* out = weights + r * ldw;
    for (std::size_t j = 0; j < blocks; ++j, out += d) {
      const T* word = book + static_cast<std::size_t>(codes[j * code_stride + r]) * book_stride;
      for (std::size_t i = 0; i < d; i += s::size) s::store(out + i, s::load(word + i));
    }
  }
}

}  // namespace v1
}  // namespace bitpq
