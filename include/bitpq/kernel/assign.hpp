// SPDX-License-Identifier: Apache-2.0
#pragma once

// Nearest codeword of each point: products and minimum stay in registers, no n x K matrix is written. Since
// |v - c|^2 = |v|^2 + 2 (|c|^2 / 2 - v.c), the codeword that minimises |c|^2 / 2 - v.c is the nearest one.

#include <bitpq/kernel/assign_vnni.hpp>

namespace bitpq {
inline namespace v1 {

/// Elements of scratch that `nearest` needs for `padded` codewords of d elements.
template <scalar T, class Arch>
std::size_t nearest_scratch(std::size_t padded, std::size_t d) noexcept {
  const std::size_t tile = detail::nearest_vectors<Arch>::value * simd<T, Arch>::size * d;
  const std::size_t integers = detail::nearest_by_integers<T, Arch>::scratch(padded, d);
  return tile < integers ? integers : tile;
}

/// codes[p] = the lowest index among the nearest codewords of point p, for p < n; point p begins at
/// points + p * stride. `scratch` is of nearest_scratch elements, aligned to buffer_alignment. O(n K d).
template <scalar T, class Arch>
void nearest(const T* points, std::ptrdiff_t stride, std::size_t n, const nearest_words<T>& words, T* scratch,
             std::uint16_t* codes) noexcept {
  constexpr std::size_t vectors = detail::nearest_vectors<Arch>::value, narrow = simd<T, Arch>::size;
  constexpr std::size_t width = vectors * narrow;
  std::size_t p = detail::nearest_by_integers<T, Arch>::run(points, stride, n, words, scratch, codes);
  const auto rows = [&] { return detail::strided_rows<T>{points + static_cast<std::ptrdiff_t>(p) * stride, stride}; };
  for (; p + width <= n; p += width) {
    detail::fill_tile<T, width>(rows(), width, words, scratch);
    detail::nearest_of_tile<T, Arch, vectors>(scratch, words, width, codes + p);
  }
  for (; p < n; p += narrow) {
    const std::size_t taken = n - p < narrow ? n - p : narrow;
    detail::fill_tile<T, narrow>(rows(), taken, words, scratch);
    detail::nearest_of_tile<T, Arch, 1>(scratch, words, taken, codes + p);
  }
}

}  // namespace v1
}  // namespace bitpq
