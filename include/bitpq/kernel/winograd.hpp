// SPDX-License-Identifier: Apache-2.0
#pragma once

// Winograd's minimal filtering F(2 x 2, 3 x 3): Lavin and Gray, "Fast algorithms for convolutional neural networks"
// (CVPR 2016), section 4.1. A 2 x 2 tile of outputs is A^T [(G g G^T) * (B^T x B)] A, of a 4 x 4 tile x of inputs and a
// filter g: 16 multiplications instead of 36. Tiles lie across the lanes of vectors.

#include <bitpq/kernel/arguments.hpp>
#include <bitpq/kernel/interleave.hpp>

namespace bitpq {
inline namespace v1 {

/// u[t * stride] = (G g G^T)[t], t < 16, of a filter g of 3 x 3.
template <scalar T, class Arch>
void winograd_filter(const T* g, T* u, std::size_t stride) noexcept {
  T half[4][3];
  for (std::size_t j = 0; j < 3; ++j) {
    const T outer = g[j] + g[6 + j], inner = g[3 + j];
    half[0][j] = g[j];
    half[1][j] = (outer + inner) / 2;
    half[2][j] = (outer - inner) / 2;
    half[3][j] = g[6 + j];
  }
  for (std::size_t i = 0; i < 4; ++i, u += 4 * stride) {
    const T outer = half[i][0] + half[i][2], inner = half[i][1];
    u[0] = half[i][0];
    u[stride] = (outer + inner) / 2;
    u[2 * stride] = (outer - inner) / 2;
    u[3 * stride] = half[i][2];
  }
}

namespace detail {
/// One half of B^T x B: four values to four.
template <class S, class Vec>
BITPQ_FORCE_INLINE void winograd_input_half(const Vec (&x)[4], Vec (&out)[4]) noexcept {
  out[0] = S::sub(x[0], x[2]);
  out[1] = S::add(x[1], x[2]);
  out[2] = S::sub(x[2], x[1]);
  out[3] = S::sub(x[1], x[3]);
}
}  // namespace detail

/// For each run of tiles, v[t * stride + to + c] = (B^T x B)[t], t < 16, of the tiles whose element t is
/// window[taps[t] + from + c], c < length; in whole vectors: up to a vector less one element more is read and written
/// after each run, so runs come in ascending order and both ends have room.
template <scalar T, class Arch>
void winograd_input(const T* BITPQ_RESTRICT window, const std::size_t* taps, const copy_run* runs, std::size_t count,
                    T* BITPQ_RESTRICT v, std::size_t stride) noexcept {
  using s = simd<T, Arch>;
  using vec = typename s::vec;
  for (const copy_run* run = runs; run != runs + count; ++run)
    for (std::size_t c = 0; c < run->length; c += s::size) {
      const T* const x = window + run->from + static_cast<std::ptrdiff_t>(c);
      T* const to = v + run->to + c;
      vec half[4][4];  // B^T x, by columns
      BITPQ_UNROLL
      for (std::size_t j = 0; j < 4; ++j) {
        const vec in[4] = {s::load(x + taps[j]), s::load(x + taps[4 + j]), s::load(x + taps[8 + j]),
                           s::load(x + taps[12 + j])};
        detail::winograd_input_half<s>(in, half[j]);
      }
      BITPQ_UNROLL
      for (std::size_t i = 0; i < 4; ++i) {
        const vec in[4] = {half[0][i], half[1][i], half[2][i], half[3][i]};
        vec out[4];
        detail::winograd_input_half<s>(in, out);
        BITPQ_UNROLL
        for (std::size_t j = 0; j < 4; ++j) s::store(to + (i * 4 + j) * stride, out[j]);
      }
    }
}

/// For the tiles m[t * stride + c], t < 16: y[i * ldy + 2 * c + j] = (A^T m A)[i][j], for the whole vectors that hold
/// the first `columns` of c.
template <scalar T, class Arch>
void winograd_output(const T* BITPQ_RESTRICT m, std::size_t stride, T* BITPQ_RESTRICT y, std::size_t ldy,
                     std::size_t columns) noexcept {
  using s = simd<T, Arch>;
  using vec = typename s::vec;
  for (std::size_t c = 0; c < columns; c += s::size) {
    vec half[2][4];  // A^T m
    BITPQ_UNROLL
    for (std::size_t j = 0; j < 4; ++j) {
      const vec a = s::load(m + j * stride + c), b = s::load(m + (4 + j) * stride + c);
      const vec d = s::load(m + (8 + j) * stride + c), e = s::load(m + (12 + j) * stride + c);
      half[0][j] = s::add(s::add(a, b), d);
      half[1][j] = s::sub(s::sub(b, d), e);
    }
    BITPQ_UNROLL
    for (std::size_t i = 0; i < 2; ++i) {
      const vec left = s::add(s::add(half[i][0], half[i][1]), half[i][2]);
      const vec right = s::sub(s::sub(half[i][1], half[i][2]), half[i][3]);
      store_interleaved<T, Arch>(y + i * ldy + 2 * c, left, right);
    }
  }
}

}  // namespace v1
}  // namespace bitpq
