// SPDX-License-Identifier: Apache-2.0
#pragma once

// Winograd's minimal filtering of tiles of Tile x Tile outputs, Tile being 2 or 4, by a stride of 1 or 2: the
// transforms in two dimensions. Tiles lie across the lanes of vectors, filters too. A tile has a product at each of its
// `positions`, n = winograd_side along each side. Filters have fewer values: see winograd_filter_at.

#include <bitpq/kernel/arguments.hpp>
#include <bitpq/kernel/interleave.hpp>
#include <bitpq/kernel/winograd_transforms.hpp>

namespace bitpq {
inline namespace v1 {

/// u[t * ld + k] = (G g G^T)[t], t < winograd_filter_values(Tile), of the 3 x 3 filters g = filters + k * distance,
/// k < count.
template <std::size_t Tile, std::size_t Stride, scalar T, class Arch>
void winograd_filter(const T* BITPQ_RESTRICT filters, std::size_t distance, std::size_t count, T* BITPQ_RESTRICT u,
                     std::size_t ld) noexcept {
  using s = simd<T, Arch>;
  using vec = typename s::vec;
  using transforms = detail::winograd_transforms<Tile, Stride>;
  constexpr std::size_t n = winograd_filter_side(Tile);
  for (std::size_t k = 0; k < count; k += s::size) {
    const std::size_t lanes = count - k < s::size ? count - k : s::size;
    T g[9][s::size] = {};
    for (std::size_t lane = 0; lane < lanes; ++lane)
      for (std::size_t t = 0; t < 9; ++t) g[t][lane] = filters[(k + lane) * distance + t];
    vec half[3][n];  // G g, by columns
    for (std::size_t j = 0; j < 3; ++j) {
      const vec column[3] = {s::load(g[j]), s::load(g[3 + j]), s::load(g[6 + j])};
      transforms::template filter<s>(column, half[j]);
    }
    for (std::size_t i = 0; i < n; ++i) {
      const vec row[3] = {half[0][i], half[1][i], half[2][i]};
      vec out[n];
      transforms::template filter<s>(row, out);
      for (std::size_t j = 0; j < n; ++j) {
        T* const to = u + (i * n + j) * ld + k;
        T last[s::size];
        s::store(lanes == s::size ? to : last, out[j]);
        for (std::size_t lane = 0; lanes < s::size && lane < lanes; ++lane) to[lane] = last[lane];
      }
    }
  }
}

namespace detail {

/// A vector of tiles, side by side, whose rows begin at x + taps[i * n].
template <std::size_t Tile, std::size_t Stride, scalar T, class Arch>
BITPQ_FORCE_INLINE void winograd_input_tiles(const T* BITPQ_RESTRICT x, const std::size_t* taps, T* BITPQ_RESTRICT v,
                                             std::size_t ld) noexcept {
  using s = simd<T, Arch>;
  using vec = typename s::vec;
  using transforms = winograd_transforms<Tile, Stride>;
  constexpr std::size_t n = winograd_side(Tile, Stride);
  vec half[n][n];  // x B
  BITPQ_UNROLL
  for (std::size_t i = 0; i < n; ++i) {
    vec row[n];
    load_windows<Tile * Stride, T, Arch>(x + taps[i * n], row);
    transforms::template input<s>(row, half[i]);
  }
  BITPQ_UNROLL
  for (std::size_t j = 0; j < n; ++j) {
    vec column[n], out[n];
    BITPQ_UNROLL
    for (std::size_t i = 0; i < n; ++i) column[i] = half[i][j];
    transforms::template input<s>(column, out);
    BITPQ_UNROLL
    for (std::size_t i = 0; i < n; ++i) s::store(v + (i * n + j) * ld, out[i]);
  }
}

/// At most `rest` tiles, in the narrowest vectors that hold as many as the widest would; returns how many.
template <std::size_t Tile, std::size_t Stride, scalar T, class Arch>
BITPQ_FORCE_INLINE std::size_t winograd_input_some(const T* x, std::size_t rest, const std::size_t* taps, T* v,
                                                   std::size_t ld) noexcept {
  constexpr std::size_t size = simd<T, Arch>::size;
  if constexpr (narrows<T> && size > 4) {
    if (rest <= size / 2)
      return winograd_input_some<Tile, Stride, T, typename narrowed<T, Arch, size / 2>::type>(x, rest, taps, v, ld);
  }
  winograd_input_tiles<Tile, Stride, T, Arch>(x, taps, v, ld);
  return size;
}

}  // namespace detail

/// For each run of tiles, v[t * ld + to + c] = (B^T x B)[t], t < positions, of the tiles whose element (i, j) is
/// window[taps[i * n] + from + c * Tile * Stride + j], c < length; in whole vectors: up to a vector less one element
/// more is written after each run, and up to Tile * Stride vectors and 2 elements of the window read from its last
/// vector's first on, so runs come in ascending order and both ends have room.
template <std::size_t Tile, std::size_t Stride, scalar T, class Arch>
void winograd_input(const T* BITPQ_RESTRICT window, const std::size_t* taps, const copy_run* runs, std::size_t count,
                    T* BITPQ_RESTRICT v, std::size_t ld) noexcept {
  for (const copy_run* run = runs; run != runs + count; ++run)
    for (std::size_t c = 0; c < run->length;) {
      const T* const x = window + run->from + static_cast<std::ptrdiff_t>(c * Tile * Stride);
      c += detail::winograd_input_some<Tile, Stride, T, Arch>(x, run->length - c, taps, v + run->to + c, ld);
    }
}

/// For the tiles m[t * ld + c], t < positions: y[i * ldy + Tile * c + j] = (A^T m A)[i][j], for the whole vectors that
/// hold the first `columns` of c.
template <std::size_t Tile, std::size_t Stride, scalar T, class Arch>
void winograd_output(const T* BITPQ_RESTRICT m, std::size_t ld, T* BITPQ_RESTRICT y, std::size_t ldy,
                     std::size_t columns) noexcept {
  using s = simd<T, Arch>;
  using vec = typename s::vec;
  using transforms = detail::winograd_transforms<Tile, Stride>;
  constexpr std::size_t n = winograd_side(Tile, Stride);
  for (std::size_t c = 0; c < columns; c += s::size) {
    vec half[Tile][n];  // A^T m
    BITPQ_UNROLL
    for (std::size_t j = 0; j < n; ++j) {
      vec column[n], out[Tile];
      BITPQ_UNROLL
      for (std::size_t i = 0; i < n; ++i) column[i] = s::load(m + (i * n + j) * ld + c);
      transforms::template output<s>(column, out);
      BITPQ_UNROLL
      for (std::size_t i = 0; i < Tile; ++i) half[i][j] = out[i];
    }
    BITPQ_UNROLL
    for (std::size_t i = 0; i < Tile; ++i) {
      vec out[Tile];
      transforms::template output<s>(half[i], out);
      store_interleaved<T, Arch>(y + i * ldy + Tile * c, out);
    }
  }
}

}  // namespace v1
}  // namespace bitpq
