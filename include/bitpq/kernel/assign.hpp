// SPDX-License-Identifier: Apache-2.0
#pragma once

// Nearest codeword of each point: products and minimum stay in registers, no n x K matrix is written. Since
// |v - c|^2 = |v|^2 + 2 (|c|^2 / 2 - v.c), the codeword that minimises |c|^2 / 2 - v.c is the nearest one.

#include <bitpq/kernel/simd.hpp>

#include <limits>

namespace bitpq {
inline namespace v1 {
namespace detail {

template <scalar T, class Arch, std::size_t Points>
BITPQ_FORCE_INLINE void nearest_tile(const T* BITPQ_RESTRICT points, std::size_t d, const T* BITPQ_RESTRICT words,
                                     const T* BITPQ_RESTRICT half_norms, std::size_t padded,
                                     std::uint16_t* BITPQ_RESTRICT codes) noexcept {
  using s = simd<T, Arch>;
  typename s::vec best[Points], where[Points];
  BITPQ_UNROLL
  for (std::size_t p = 0; p < Points; ++p) {
    best[p] = s::set((std::numeric_limits<T>::infinity)());
    where[p] = s::set(T{0});
  }
  for (std::size_t k = 0; k < padded; k += s::size) {
    typename s::vec score[Points];
    BITPQ_UNROLL
    for (std::size_t p = 0; p < Points; ++p) score[p] = s::load(half_norms + k);
    for (std::size_t i = 0; i < d; ++i) {
      const typename s::vec column = s::load(words + i * padded + k);
      BITPQ_UNROLL
      for (std::size_t p = 0; p < Points; ++p) score[p] = s::fnma(s::set(points[p * d + i]), column, score[p]);
    }
    const typename s::vec first = s::set(static_cast<T>(k));  // exact: k < 2^17
    BITPQ_UNROLL
    for (std::size_t p = 0; p < Points; ++p) {
      const typename s::mask closer = s::less(score[p], best[p]);
      best[p] = s::select(closer, score[p], best[p]);
      where[p] = s::select(closer, first, where[p]);
    }
  }
  for (std::size_t p = 0; p < Points; ++p) {
    T scores[s::size], firsts[s::size];
    s::store(scores, best[p]);
    s::store(firsts, where[p]);
    T least = scores[0];
    auto code = static_cast<std::size_t>(firsts[0]);
    for (std::size_t lane = 1; lane < s::size; ++lane) {
      const std::size_t candidate = static_cast<std::size_t>(firsts[lane]) + lane;
      if (scores[lane] < least || (scores[lane] == least && candidate < code)) {
        least = scores[lane];
        code = candidate;
      }
    }
    codes[p] = static_cast<std::uint16_t>(code);
  }
}

}  // namespace detail

/// codes[p] = the lowest index among the nearest codewords of point p, for p < n. `points` is n x d row-major; `words`
/// is d x padded: the codewords as columns, padded up to whole vectors; half_norms[k] = |c_k|^2 / 2 and infinity for
/// the padding. O(n K d).
template <scalar T, class Arch>
void nearest(const T* points, std::size_t n, std::size_t d, const T* words, const T* half_norms, std::size_t padded,
             std::uint16_t* codes) noexcept {
  constexpr std::size_t tile = 4;
  std::size_t p = 0;
  for (; p + tile <= n; p += tile)
    detail::nearest_tile<T, Arch, tile>(points + p * d, d, words, half_norms, padded, codes + p);
  for (; p < n; ++p) detail::nearest_tile<T, Arch, 1>(points + p * d, d, words, half_norms, padded, codes + p);
}

}  // namespace v1
}  // namespace bitpq
