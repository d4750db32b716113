// SPDX-License-Identifier: Apache-2.0
#pragma once

// The look-up half of a product by tables: once the dot products of every codeword with a block of the input stand in
// a table, a block of weights costs one vector addition instead of d multiply-adds.

#include <bitpq/kernel/simd.hpp>

namespace bitpq {
inline namespace v1 {
namespace detail {

template <scalar T, class Arch, class Code, std::size_t Rows>
BITPQ_FORCE_INLINE void lut_rows(const T* BITPQ_RESTRICT tables, std::size_t table_size,
                                 const Code* BITPQ_RESTRICT codes, std::size_t code_stride, T* BITPQ_RESTRICT c,
                                 std::size_t blocks) noexcept {
  using s = simd<T, Arch>;
  constexpr std::size_t vectors = register_tile<Arch>::vectors;
  constexpr std::size_t width = panel_width<T, Arch>;
  typename s::vec sum[Rows][vectors];
  BITPQ_UNROLL
  for (std::size_t r = 0; r < Rows; ++r) {
    BITPQ_UNROLL
    for (std::size_t v = 0; v < vectors; ++v) sum[r][v] = s::load(c + r * width + v * s::size);
  }
  for (std::size_t j = 0; j < blocks; ++j, tables += table_size, codes += code_stride) {
    BITPQ_UNROLL
    for (std::size_t r = 0; r < Rows; ++r) {
      const T* entry = tables + static_cast<std::size_t>(codes[r]) * width;
      BITPQ_UNROLL
      for (std::size_t v = 0; v < vectors; ++v) sum[r][v] = s::add(sum[r][v], s::load(entry + v * s::size));
    }
  }
  BITPQ_UNROLL
  for (std::size_t r = 0; r < Rows; ++r) {
    BITPQ_UNROLL
    for (std::size_t v = 0; v < vectors; ++v) s::store(c + r * width + v * s::size, sum[r][v]);
  }
}

}  // namespace detail

/// c[r] += sum over j < blocks of tables[j][codes[j][r]], for r < rows, where c and the entries of a table are rows of
/// panel_width elements and a table has `codewords` entries.
template <scalar T, class Arch, class Code>
void lut_add(const T* tables, std::size_t codewords, const Code* codes, std::size_t code_stride, T* c, std::size_t rows,
             std::size_t blocks) noexcept {
  constexpr std::size_t width = panel_width<T, Arch>;
  constexpr std::size_t tile = 4;
  const std::size_t table_size = codewords * width;
  std::size_t r = 0;
  for (; r + tile <= rows; r += tile)
    detail::lut_rows<T, Arch, Code, tile>(tables, table_size, codes + r, code_stride, c + r * width, blocks);
  for (; r < rows; ++r)
    detail::lut_rows<T, Arch, Code, 1>(tables, table_size, codes + r, code_stride, c + r * width, blocks);
}

}  // namespace v1
}  // namespace bitpq
