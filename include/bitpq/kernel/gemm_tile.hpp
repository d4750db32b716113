// SPDX-License-Identifier: Apache-2.0
#pragma once

// The dense micro-kernel. The right operand is packed into panels of panel_width columns, so that a step of the depth
// loads whole vectors; the left operand stays row-major, because decoding a row of codes copies whole codewords and
// a k-major panel would scatter their elements. Table building, decoded weights and Gram matrices all end here.

#include <bitpq/kernel/simd.hpp>

namespace bitpq {
inline namespace v1 {
namespace detail {

template <scalar T, class Arch, std::size_t Rows>
BITPQ_FORCE_INLINE void gemm_rows(const T* BITPQ_RESTRICT a, std::ptrdiff_t lda, const T* BITPQ_RESTRICT b,
                                  T* BITPQ_RESTRICT c, std::ptrdiff_t ldc, std::size_t depth,
                                  bool accumulate) noexcept {
  using s = simd<T, Arch>;
  constexpr std::size_t vectors = register_tile<Arch>::vectors;
  typename s::vec sum[Rows][vectors];
  BITPQ_UNROLL
  for (std::size_t r = 0; r < Rows; ++r) {
    BITPQ_UNROLL
    for (std::size_t v = 0; v < vectors; ++v)
      sum[r][v] = accumulate ? s::load(c + static_cast<std::ptrdiff_t>(r) * ldc + v * s::size) : s::set(T{0});
  }
  for (std::size_t k = 0; k < depth; ++k, b += vectors * s::size) {
    typename s::vec right[vectors];
    BITPQ_UNROLL
    for (std::size_t v = 0; v < vectors; ++v) right[v] = s::load(b + v * s::size);
    BITPQ_UNROLL
    for (std::size_t r = 0; r < Rows; ++r) {
      const typename s::vec left = s::set(a[static_cast<std::ptrdiff_t>(r) * lda + static_cast<std::ptrdiff_t>(k)]);
      BITPQ_UNROLL
      for (std::size_t v = 0; v < vectors; ++v) sum[r][v] = s::fma(left, right[v], sum[r][v]);
    }
  }
  BITPQ_UNROLL
  for (std::size_t r = 0; r < Rows; ++r) {
    BITPQ_UNROLL
    for (std::size_t v = 0; v < vectors; ++v)
      s::store(c + static_cast<std::ptrdiff_t>(r) * ldc + v * s::size, sum[r][v]);
  }
}

/// The last rows % Rows rows: tries every smaller tile, so that each row count runs from registers.
template <scalar T, class Arch, std::size_t Rows>
BITPQ_FORCE_INLINE void gemm_tail(const T* a, std::ptrdiff_t lda, const T* b, T* c, std::ptrdiff_t ldc,
                                  std::size_t rows, std::size_t depth, bool accumulate) noexcept {
  if constexpr (Rows > 0) {
    if (rows == Rows)
      gemm_rows<T, Arch, Rows>(a, lda, b, c, ldc, depth, accumulate);
    else
      gemm_tail<T, Arch, Rows - 1>(a, lda, b, c, ldc, rows, depth, accumulate);
  }
}

}  // namespace detail

/// c (+)= a * b with a of rows x depth (row stride lda), b a packed panel of depth x panel_width, c of
/// rows x panel_width (row stride ldc). Without `accumulate` c is written only. Every element of c is one sum in the
/// order of the depth, whatever the tiling.
template <scalar T, class Arch>
void gemm_panel(const T* a, std::ptrdiff_t lda, const T* b, T* c, std::ptrdiff_t ldc, std::size_t rows,
                std::size_t depth, bool accumulate) noexcept {
  constexpr std::size_t tile = register_tile<Arch>::rows;
  for (; rows >= tile;
       rows -= tile, a += static_cast<std::ptrdiff_t>(tile) * lda, c += static_cast<std::ptrdiff_t>(tile) * ldc)
    detail::gemm_rows<T, Arch, tile>(a, lda, b, c, ldc, depth, accumulate);
  detail::gemm_tail<T, Arch, tile - 1>(a, lda, b, c, ldc, rows, depth, accumulate);
}

}  // namespace v1
}  // namespace bitpq
