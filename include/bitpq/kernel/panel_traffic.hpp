// SPDX-License-Identifier: Apache-2.0
#pragma once

// What moves between memory and the caches while the micro-kernel multiplies: outputs that leave as soon as a tile of
// them is done, and inputs that a later panel will read. Memory is waited for only where nobody asked ahead of time.

#include <bitpq/kernel/store.hpp>

#include <limits>

namespace bitpq {
inline namespace v1 {
namespace detail {

/// Inputs to fetch, an element of each row, one row per step of the depth.
template <scalar T>
struct fetched_column {
  const T* at;
  std::ptrdiff_t row;
};

/// The place of row r's outputs.
template <scalar T>
BITPQ_FORCE_INLINE store_target<T> target_of_row(const store_target<T>& to, std::size_t r) noexcept {
  const auto row = static_cast<std::ptrdiff_t>(r);
  store_target<T> target = to;
  target.y += row * to.y_row;
  if (to.bias != nullptr) target.bias += r;
  if (to.residual != nullptr) target.residual += row * to.residual_row;
  if (to.scale != nullptr) target.scale += r;
  return target;
}

/// Fetches line j of a row of outputs, and of what is added to it.
template <scalar T>
BITPQ_FORCE_INLINE void fetch_line(const store_target<T>& to, std::size_t r, std::size_t j) noexcept {
  const auto row = static_cast<std::ptrdiff_t>(r);
  const std::size_t at = j * (64 / sizeof(T));
  prefetch_for_write(to.y + row * to.y_row + at);
  if (to.residual != nullptr) prefetch(to.residual + row * to.residual_row + at);
}

/// Fetches what storing rows [first, first + rows) will touch. Outputs with others between them are left to the
/// hardware.
template <scalar T>
BITPQ_FORCE_INLINE void fetch_outputs(const panel_traffic<T>& traffic, std::size_t first, std::size_t rows) noexcept {
  for (const store_run<T>* run = traffic.outputs; run != traffic.outputs + traffic.output_runs; ++run)
    if (is_contiguous(run->to))
      for (std::size_t r = first; r < first + rows; ++r)
        for (std::size_t j = 0; j * 64 < run->length * sizeof(T); ++j) fetch_line(run->to, r, j);
}

/// Stores rows [r, r + rows), whose sums lie at row stride ld.
template <scalar T, class Arch>
BITPQ_FORCE_INLINE void store_outputs(const panel_traffic<T>& traffic, std::size_t r, std::size_t rows, const T* sums,
                                      std::size_t ld) noexcept {
  for (const store_run<T>* run = traffic.outputs; run != traffic.outputs + traffic.output_runs; ++run)
    store_rows<T, Arch>(sums + run->first, ld, rows, run->length, target_of_row(run->to, r));
}

/// Whether all outputs are neighbours in memory, whole vectors of them.
template <std::size_t Vectors, scalar T, class Arch>
BITPQ_FORCE_INLINE bool stores_whole_vectors(const panel_traffic<T>& traffic) noexcept {
  return traffic.output_runs == 1 && traffic.outputs->length == Vectors * simd<T, Arch>::size &&
         is_contiguous(traffic.outputs->to);
}

/// Stores sums as store_rows does, bit for bit, to whole vectors of neighbours: without a scale they are multiplied by
/// one, and without an activation nothing is below the least.
template <bool Residual, scalar T, class Arch, std::size_t Rows, std::size_t Vectors>
BITPQ_FORCE_INLINE void store_vectors(const typename simd<T, Arch>::vec (&sum)[Rows][Vectors],
                                      const store_target<T>& to) noexcept {
  using s = simd<T, Arch>;
  const typename s::vec least = s::set(to.relu ? T{0} : -std::numeric_limits<T>::infinity());
  BITPQ_UNROLL
  for (std::size_t r = 0; r < Rows; ++r) {
    const auto row = static_cast<std::ptrdiff_t>(r);
    const typename s::vec scale = s::set(to.scale == nullptr ? T{1} : to.scale[r]);
    const typename s::vec bias = s::set(to.bias == nullptr ? T{0} : to.bias[r]);
    BITPQ_UNROLL
    for (std::size_t v = 0; v < Vectors; ++v) {
      typename s::vec y = s::fma(sum[r][v], scale, bias);
      if constexpr (Residual) y = s::add(y, s::load(to.residual + row * to.residual_row + v * s::size));
      s::store(to.y + row * to.y_row + v * s::size, s::select(s::less(y, least), least, y));
    }
  }
}

}  // namespace detail
}  // namespace v1
}  // namespace bitpq
