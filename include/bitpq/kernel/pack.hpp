// SPDX-License-Identifier: Apache-2.0
#pragma once

// Packing: from wherever the right operand lies to panels whose rows are whole vectors.

#include <bitpq/kernel/arguments.hpp>
#include <bitpq/kernel/simd.hpp>

namespace bitpq {
inline namespace v1 {

/// For each run, dst[to + i] = src[from + i * step], i < length. Touches nothing else.
template <scalar T, class Arch>
void gather_runs(const T* BITPQ_RESTRICT src, std::ptrdiff_t step, const copy_run* runs, std::size_t count,
                 T* BITPQ_RESTRICT dst) noexcept {
  using s = simd<T, Arch>;
  for (const copy_run* run = runs; run != runs + count; ++run) {
    const T* const from = src + run->from;
    T* const to = dst + run->to;
    std::size_t i = 0;
    if (step == 1)
      for (; i + s::size <= run->length; i += s::size) s::store(to + i, s::load(from + i));
    for (; i < run->length; ++i) to[i] = from[static_cast<std::ptrdiff_t>(i) * step];
  }
}

/// The same with step 1 in whole vectors: up to a vector less one element more is read and written after each run, so
/// runs come in ascending order and both ends have room.
template <scalar T, class Arch>
void copy_runs(const T* BITPQ_RESTRICT src, const copy_run* runs, std::size_t count, T* BITPQ_RESTRICT dst) noexcept {
  using s = simd<T, Arch>;
  for (const copy_run* run = runs; run != runs + count; ++run)
    for (std::size_t i = 0; i < run->length; i += s::size)
      s::store(dst + run->to + i, s::load(src + run->from + static_cast<std::ptrdiff_t>(i)));
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
    const copy_run row{0, 0, n};
    gather_runs<T, Arch>(src, 1, &row, 1, dst);
  }
}

}  // namespace v1
}  // namespace bitpq
