// SPDX-License-Identifier: Apache-2.0
#pragma once

// A tile of points, transposed so that lanes are points, against all codewords in the scalar type: an element of a
// codeword, broadcast, meets all points, and each lane ends with a minimum of its own. Lanes of codewords would need
// neither the transposition nor the broadcasts, but a minimum across lanes for every point; it measures slower, see
// docs/adr/0019-kmeans.md.

#include <bitpq/kernel/arguments.hpp>
#include <bitpq/kernel/simd.hpp>

#include <limits>

namespace bitpq {
inline namespace v1 {
namespace detail {

/// Vectors of points that meet nearest_group codewords at once.
template <class Arch>
struct nearest_vectors {
  static constexpr std::size_t value = 2;  // 8 sums + 2 + 1, and 2 x 2 for the minimum, of 16 registers
};
template <>
struct nearest_vectors<arch_of<isa::avx512>::type> {
  static constexpr std::size_t value = 4;  // 16 + 4 + 1, and 2 x 4, of 32
};
template <>
struct nearest_vectors<avx512vnni_arch> : nearest_vectors<arch_of<isa::avx512>::type> {};
template <>
struct nearest_vectors<arch_of<isa::neon64>::type> : nearest_vectors<arch_of<isa::avx512>::type> {};

/// tile[i][p] = row(p)[i] - origin[i]; zero for p >= n.
template <scalar T, std::size_t Width, class Row>
BITPQ_FORCE_INLINE void fill_tile(const Row& row, std::size_t n, const nearest_words<T>& words,
                                  T* BITPQ_RESTRICT tile) noexcept {
  for (std::size_t i = 0; i < words.d; ++i) {
    const T origin = words.origin[i];
    for (std::size_t p = 0; p < n; ++p) tile[p] = row(p)[i] - origin;
    for (std::size_t p = n; p < Width; ++p) tile[p] = 0;
    tile += Width;
  }
}

/// Points at a constant distance in memory.
template <scalar T>
struct strided_rows {
  const T* points;
  std::ptrdiff_t stride;
  BITPQ_FORCE_INLINE const T* operator()(std::size_t p) const noexcept {
    return points + static_cast<std::ptrdiff_t>(p) * stride;
  }
};

/// The minimum of a group's scores and of `best`, and where it is; of equals the first. A chain of four comparisons
/// takes longer than the products of short codewords, unless there are as many chains as comparisons; by pairs it is
/// two shorter, for the same work and more registers.
template <scalar T, class Arch, bool ByPairs>
BITPQ_FORCE_INLINE void lower_minimum(const typename simd<T, Arch>::vec* score,
                                      const typename simd<T, Arch>::vec& first, typename simd<T, Arch>::vec& best,
                                      typename simd<T, Arch>::vec& where) noexcept {
  static_assert(nearest_group == 4);
  using s = simd<T, Arch>;
  const typename s::vec one = s::set(T{1}), second = s::add(first, one), third = s::add(second, one);
  const typename s::vec index[] = {first, second, third, s::add(third, one)};
  if constexpr (ByPairs) {
    const typename s::mask low = s::less(score[1], score[0]), high = s::less(score[3], score[2]);
    const typename s::vec low_score = s::select(low, score[1], score[0]);
    const typename s::vec high_score = s::select(high, score[3], score[2]);
    const typename s::mask upper = s::less(high_score, low_score);
    const typename s::vec least = s::select(upper, high_score, low_score);
    const typename s::vec at =
        s::select(upper, s::select(high, index[3], index[2]), s::select(low, index[1], index[0]));
    const typename s::mask closer = s::less(least, best);
    best = s::select(closer, least, best);
    where = s::select(closer, at, where);
  } else {
    BITPQ_UNROLL
    for (std::size_t c = 0; c < nearest_group; ++c) {
      const typename s::mask closer = s::less(score[c], best);
      best = s::select(closer, score[c], best);
      where = s::select(closer, index[c], where);
    }
  }
}

/// Codes of the first n points of a tile.
template <scalar T, class Arch, std::size_t Vectors>
BITPQ_FORCE_INLINE void nearest_of_tile(const T* BITPQ_RESTRICT tile, const nearest_words<T>& from, std::size_t n,
                                        std::uint16_t* BITPQ_RESTRICT codes) noexcept {
  using s = simd<T, Arch>;
  const std::size_t d = from.d;
  const T* BITPQ_RESTRICT words = from.words;
  const T* BITPQ_RESTRICT half_norms = from.half_norms;
  typename s::vec best[Vectors], where[Vectors], index = s::set(T{0});
  BITPQ_UNROLL
  for (std::size_t v = 0; v < Vectors; ++v) {
    best[v] = s::set((std::numeric_limits<T>::infinity)());
    where[v] = s::set(T{0});
  }
  for (std::size_t k = 0; k < from.padded; k += nearest_group) {
    typename s::vec score[nearest_group][Vectors];
    BITPQ_UNROLL
    for (std::size_t c = 0; c < nearest_group; ++c) {
      BITPQ_UNROLL
      for (std::size_t v = 0; v < Vectors; ++v) score[c][v] = s::set(half_norms[k + c]);
    }
    const T* x = tile;
    for (std::size_t i = 0; i < d; ++i, x += Vectors * s::size, words += nearest_group) {
      typename s::vec element[Vectors];
      BITPQ_UNROLL
      for (std::size_t v = 0; v < Vectors; ++v) element[v] = s::load(x + v * s::size);
      BITPQ_UNROLL
      for (std::size_t c = 0; c < nearest_group; ++c) {
        const typename s::vec word = s::set(words[c]);
        BITPQ_UNROLL
        for (std::size_t v = 0; v < Vectors; ++v) score[c][v] = s::fma(element[v], word, score[c][v]);
      }
    }
    BITPQ_UNROLL
    for (std::size_t v = 0; v < Vectors; ++v) {
      const typename s::vec of_vector[] = {score[0][v], score[1][v], score[2][v], score[3][v]};
      lower_minimum<T, Arch, (Vectors < 4)>(of_vector, index, best[v], where[v]);
    }
    index = s::add(index, s::set(T{nearest_group}));  // exact: below 2^17
  }
  T found[Vectors * s::size];
  BITPQ_UNROLL
  for (std::size_t v = 0; v < Vectors; ++v) s::store(found + v * s::size, where[v]);
  for (std::size_t p = 0; p < n; ++p) codes[p] = static_cast<std::uint16_t>(static_cast<int>(found[p]));
}

}  // namespace detail
}  // namespace v1
}  // namespace bitpq
