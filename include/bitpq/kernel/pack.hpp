// SPDX-License-Identifier: Apache-2.0
#pragma once

// Packing: from wherever the right operand lies to panels whose rows are whole vectors.

#include <bitpq/kernel/arguments.hpp>
#include <bitpq/kernel/interleave.hpp>

namespace bitpq {
inline namespace v1 {

namespace detail {

/// dst[i] = src[i * Step], i < length, in vectors, the last of which overlaps the one before; floats of less than a
/// vector in narrower ones.
template <std::size_t Step, scalar T, class Arch>
BITPQ_FORCE_INLINE void gather_vectors(const T* BITPQ_RESTRICT src, std::size_t length,
                                       T* BITPQ_RESTRICT dst) noexcept {
  using s = simd<T, Arch>;
  constexpr std::size_t spare = Step - 1;  // a vector of every second element reads one beyond its last
  if constexpr (narrows<T> && s::size > 4) {
    if (length < s::size + spare) {
      gather_vectors<Step, T, typename narrowed<T, Arch, s::size / 2>::type>(src, length, dst);
      return;
    }
  }
  std::size_t i = 0;
  for (; i + s::size + spare <= length; i += s::size) {
    s::store(dst + i, load_every<Step, T, Arch>(src + i * Step));
    keep_loop();
  }
  if (i > 0 && i + spare < length) {
    i = length - spare - s::size;
    s::store(dst + i, load_every<Step, T, Arch>(src + i * Step));
    i = length - spare;
  }
  for (; i < length; ++i) dst[i] = src[i * Step];
}

}  // namespace detail

/// For each run, dst[to + i] = src[from + i * step], i < length. Touches nothing else.
template <scalar T, class Arch>
void gather_runs(const T* BITPQ_RESTRICT src, std::ptrdiff_t step, const copy_run* runs, std::size_t count,
                 T* BITPQ_RESTRICT dst) noexcept {
  for (const copy_run* run = runs; run != runs + count; ++run) {
    const T* const from = src + run->from;
    T* const to = dst + run->to;
    if (step == 1)
      detail::gather_vectors<1, T, Arch>(from, run->length, to);
    else if (step == 2)
      detail::gather_vectors<2, T, Arch>(from, run->length, to);
    else
      for (std::size_t i = 0; i < run->length; ++i) to[i] = from[static_cast<std::ptrdiff_t>(i) * step];
  }
}

/// For each of `rows` offsets and each run, dst[row * ld + to + i] = src[offsets[row] + from + i], i < length, in whole
/// vectors: up to a vector less one element more is read and written after each run, so runs come in ascending order
/// and both ends have room.
template <scalar T, class Arch>
void copy_runs(const T* BITPQ_RESTRICT src, const std::size_t* offsets, std::size_t rows, const copy_run* runs,
               std::size_t count, T* BITPQ_RESTRICT dst, std::size_t ld) noexcept {
  using s = simd<T, Arch>;
  for (std::size_t row = 0; row < rows; ++row, dst += ld)
    for (const copy_run* run = runs; run != runs + count; ++run) {
      const T* const from = src + offsets[row] + run->from;
      T* const to = dst + run->to;
      for (std::size_t i = 0; i < run->length; i += s::size) {
        s::store(to + i, s::load(from + i));
        keep_loop();
      }
    }
}

/// dst[k * ld + c] = src[k * row_stride + c] for k < rows, c < n.
template <scalar T, class Arch>
void pack_rows(const T* BITPQ_RESTRICT src, std::ptrdiff_t row_stride, T* BITPQ_RESTRICT dst, std::size_t ld,
               std::size_t rows, std::size_t n) noexcept {
  constexpr std::size_t ahead = 6, line = 64 / sizeof(T);
  for (std::size_t k = 0; k < rows; ++k, src += row_stride, dst += ld) {
    // Rows are often pages apart, where no hardware looks ahead.
    if (k + ahead < rows)
      for (std::size_t c = 0; c < n; c += line) prefetch(src + static_cast<std::ptrdiff_t>(ahead) * row_stride + c);
    detail::gather_vectors<1, T, Arch>(src, n, dst);
  }
}

}  // namespace v1
}  // namespace bitpq
