// SPDX-License-Identifier: Apache-2.0
#pragma once

// Winograd's products of few tiles of 4 x 4, by a stride of 1. With tiles across the lanes 16 tiles are one vector, of
// which every multiply-add reads an element of a codeword and its code. Here positions lie across the lanes: codewords
// are vectors, and one that was read is multiplied with several tiles.
//
// The 36 positions are cut into parts, as many positions each as a vector has lanes, the last one of 4 where that
// leaves a rest. In a part position t of tile c is element c * width + t, which makes vectors of a tile each, or of
// several tiles. Strips are strip_vectors of these; a channel's inputs and a row's sums each have their place in a
// strip. Codewords are a vector per part, the rest repeated. What a strip is multiplied with, one part of the codewords
// and a run of channels, fits the first-level cache.

#include <bitpq/kernel/arguments.hpp>
#include <bitpq/kernel/interleave.hpp>

namespace bitpq {
inline namespace v1 {

namespace detail {

/// to[c * to_ld + r] = from[r * from_ld + c] of 4 x 4 elements.
template <scalar T, class Arch>
BITPQ_FORCE_INLINE void transpose_4x4(const T* from, std::size_t from_ld, T* to, std::size_t to_ld) noexcept {
  if constexpr (narrows<T>) {
    using quad = typename narrowed<T, Arch, 4>::type;
    typename simd<T, quad>::vec rows[4], columns[4];
    BITPQ_UNROLL
    for (std::size_t r = 0; r < 4; ++r) rows[r] = simd<T, quad>::load(from + r * from_ld);
    interleave<T, quad>(rows, columns);
    BITPQ_UNROLL
    for (std::size_t c = 0; c < 4; ++c) simd<T, quad>::store(to + c * to_ld, columns[c]);
  } else {
    BITPQ_UNROLL
    for (std::size_t r = 0; r < 4; ++r) {
      BITPQ_UNROLL
      for (std::size_t c = 0; c < 4; ++c) to[c * to_ld + r] = from[r * from_ld + c];
    }
  }
}

/// f(position, tile, element) for each four positions of four tiles: where they begin in the strips, one at every
/// `stride` elements, and how far apart tiles are there.
template <scalar T, class Arch, class F>
BITPQ_FORCE_INLINE void for_each_quad(std::size_t tiles, std::size_t stride, const F& f) noexcept {
  constexpr std::size_t lanes = simd<T, Arch>::size, size = strip_vectors * lanes;
  std::size_t first = 0;  // strip of this part
  for (std::size_t part = 0; part < strip_parts(lanes); ++part) {
    const std::size_t width = strip_part_width(part, lanes);
    for (std::size_t c = 0; c < tiles; c += 4) {
      const std::size_t at = (first + c * width / size) * stride + c * width % size;
      for (std::size_t t = 0; t < width; t += 4) f(part * lanes + t, c, at + t, width);
    }
    first += ceil_div(strip_part_vectors(part, tiles, lanes), strip_vectors);
  }
}

/// Rows of a strip's sums, over all channels.
template <std::size_t Rows, std::size_t Vectors, scalar T, class Arch, class Code>
BITPQ_FORCE_INLINE void multiply_strip_rows(const strip_product<T, Code>& p, std::size_t row) noexcept {
  using s = simd<T, Arch>;
  constexpr std::size_t size = strip_vectors * s::size;
  T* const sums = p.sums + row * size;
  typename s::vec sum[Rows][Vectors];
  BITPQ_UNROLL
  for (std::size_t r = 0; r < Rows; ++r) {
    BITPQ_UNROLL
    for (std::size_t v = 0; v < Vectors; ++v)
      sum[r][v] = p.accumulate ? s::load(sums + r * size + v * s::size) : s::set(T{0});
  }
  const T* x = p.inputs;
  const Code* codes = p.codes + row;
  for (std::size_t c = 0; c < p.channels; ++c, x += p.input_stride, codes += p.code_stride) {
    typename s::vec right[Vectors];
    BITPQ_UNROLL
    for (std::size_t v = 0; v < Vectors; ++v) {
      right[v] = s::load(x + v * s::size);
      keep_in_register(right[v]);
    }
    BITPQ_UNROLL
    for (std::size_t r = 0; r < Rows; ++r) {
      typename s::vec word = s::load(p.words + static_cast<std::size_t>(codes[r]) * s::size);
      keep_in_register(word);
      BITPQ_UNROLL
      for (std::size_t v = 0; v < Vectors; ++v) sum[r][v] = s::fma(word, right[v], sum[r][v]);
    }
  }
  BITPQ_UNROLL
  for (std::size_t r = 0; r < Rows; ++r) {
    BITPQ_UNROLL
    for (std::size_t v = 0; v < Vectors; ++v) s::store(sums + r * size + v * s::size, sum[r][v]);
  }
}

/// All rows from `row` on, so many at a time, and the last ones by smaller tiles.
template <std::size_t Rows, std::size_t Vectors, scalar T, class Arch, class Code>
BITPQ_FORCE_INLINE void multiply_strip_tiles(const strip_product<T, Code>& p, std::size_t row) noexcept {
  for (; row + Rows <= p.rows; row += Rows) multiply_strip_rows<Rows, Vectors, T, Arch>(p, row);
  if constexpr (Rows > 1) multiply_strip_tiles<Rows / 2, Vectors, T, Arch>(p, row);
}

/// Only as many vectors as are live. Fewer vectors leave registers for more rows, up to 12: that hides how long a
/// multiply-add takes.
template <std::size_t Vectors, scalar T, class Arch, class Code>
BITPQ_FORCE_INLINE void multiply_live_strip(const strip_product<T, Code>& p) noexcept {
  if constexpr (Vectors > 1) {
    if (p.vectors < Vectors) return multiply_live_strip<Vectors - 1, T, Arch>(p);
  }
  constexpr std::size_t sums = register_tile<Arch>::rows * strip_vectors;
  multiply_strip_tiles<Vectors == 1 ? 12 : sums / Vectors, Vectors, T, Arch>(p, 0);
}

}  // namespace detail

/// Whether strips pay: where there are registers for the sums of several rows of a strip, inputs and codewords.
template <scalar T, class Arch>
inline constexpr bool has_strips = (register_tile<Arch>::vectors == strip_vectors) && (simd<T, Arch>::size % 4 == 0);

/// The filters u[t * ld + k], t < 36, k < count, as vectors: words[(part * count + k) * lanes + lane].
template <scalar T, class Arch>
void strip_filters(const T* BITPQ_RESTRICT u, std::size_t ld, std::size_t count, T* BITPQ_RESTRICT words) noexcept {
  constexpr std::size_t lanes = simd<T, Arch>::size;
  for (std::size_t part = 0; part < strip_parts(lanes); ++part, words += count * lanes)
    for (std::size_t lane = 0, width = strip_part_width(part, lanes); lane < lanes; lane += 4) {
      const T* const from = u + (part * lanes + lane % width) * ld;
      std::size_t k = 0;
      for (; k + 4 <= count; k += 4) detail::transpose_4x4<T, Arch>(from + k, ld, words + k * lanes + lane, lanes);
      for (; k < count; ++k)
        for (std::size_t t = 0; t < 4; ++t) words[k * lanes + lane + t] = from[t * ld + k];
    }
}

/// One channel's transformed inputs v[t * ld + c], c < tiles, to its places in the strips, one at every `stride`
/// elements. Reads runs of four tiles.
template <scalar T, class Arch>
void strip_inputs(const T* BITPQ_RESTRICT v, std::size_t ld, std::size_t tiles, T* BITPQ_RESTRICT strips,
                  std::size_t stride) noexcept {
  detail::for_each_quad<T, Arch>(tiles, stride, [&](std::size_t t, std::size_t c, std::size_t at, std::size_t width) {
    detail::transpose_4x4<T, Arch>(v + t * ld + c, ld, strips + at, width);
  });
}

/// The other way about: one row's sums from the strips to m[t * ld + c]. Writes runs of four tiles.
template <scalar T, class Arch>
void strip_outputs(const T* BITPQ_RESTRICT strips, std::size_t stride, std::size_t tiles, T* BITPQ_RESTRICT m,
                   std::size_t ld) noexcept {
  detail::for_each_quad<T, Arch>(tiles, stride, [&](std::size_t t, std::size_t c, std::size_t at, std::size_t width) {
    detail::transpose_4x4<T, Arch>(strips + at, width, m + t * ld + c, ld);
  });
}

/// sums[r] (+)= sum over c < channels of words[codes[c * code_stride + r]] * inputs[c * input_stride], element by
/// element of a strip's vectors, in the order of the channels.
template <scalar T, class Arch, class Code>
void multiply_strip(const strip_product<T, Code>& p) noexcept {
  detail::multiply_live_strip<strip_vectors, T, Arch>(p);
}

}  // namespace v1
}  // namespace bitpq
