// SPDX-License-Identifier: Apache-2.0
#pragma once

// Between vectors and one run of alternating elements: every second, fourth or eighth element of a run, and runs made
// of these.

#include <bitpq/kernel/interleave_x86.hpp>
#include <bitpq/kernel/simd.hpp>

namespace bitpq {
inline namespace v1 {

/// p[0], p[Step], p[2 * Step], ... for a step of 1 or 2; may read up to p[size * Step - 1].
template <std::size_t Step, scalar T, class Arch>
BITPQ_FORCE_INLINE typename simd<T, Arch>::vec load_every(const T* p) noexcept {
  if constexpr (Step == 1)
    return simd<T, Arch>::load(p);
  else
    return detail::lane_moves<T, Arch>::even(simd<T, Arch>::load(p), simd<T, Arch>::load(p + simd<T, Arch>::size));
}

namespace detail {

/// The run of vectors x[0], x[1], ... by its elements' remainders: x[j][i] = run[i * Step + j]. A remainder is spread
/// over `Spread` vectors, at first all, and every pass halves that.
template <std::size_t Spread, scalar T, class Arch, std::size_t Step>
BITPQ_FORCE_INLINE void sort_by_remainder(typename simd<T, Arch>::vec (&x)[Step]) noexcept {
  using moves = lane_moves<T, Arch>;
  if constexpr (Spread > 1) {
    typename simd<T, Arch>::vec pass[Step];
    BITPQ_UNROLL
    for (std::size_t h = 0; h < Step / 2; ++h) {
      pass[h] = moves::even(x[2 * h], x[2 * h + 1]);
      pass[Step / 2 + h] = moves::odd(x[2 * h], x[2 * h + 1]);
    }
    sort_by_remainder<Spread / 2, T, Arch>(pass);
    BITPQ_UNROLL
    for (std::size_t j = 0; j < Step; ++j) x[j] = pass[j];
  }
}

}  // namespace detail

/// out[j][i] = p[i * Step + j], j < Count: what neighbours `Step` apart see through a window of `Count`, for a step of
/// 2, 4 or 8. Reads up to p[size * Step + Count - Step - 1].
template <std::size_t Step, scalar T, class Arch, std::size_t Count>
BITPQ_FORCE_INLINE void load_windows(const T* p, typename simd<T, Arch>::vec (&out)[Count]) noexcept {
  using s = simd<T, Arch>;
  static_assert((Step == 2 || Step == 4 || Step == 8) && Count > Step && Count <= 2 * Step);
  typename s::vec own[Step];
  BITPQ_UNROLL
  for (std::size_t j = 0; j < Step; ++j) own[j] = s::load(p + j * s::size);
  detail::sort_by_remainder<Step, T, Arch>(own);
  BITPQ_UNROLL
  for (std::size_t j = 0; j < Step; ++j) out[j] = own[j];
  BITPQ_UNROLL
  for (std::size_t j = Step; j < Count; ++j)
    out[j] = detail::lane_moves<T, Arch>::next(own[j - Step], p[Step * s::size + j - Step]);
}

/// The elements x[0][0], x[1][0], ..., x[0][1], x[1][1], ... as vectors, of 2 or 4.
template <scalar T, class Arch, std::size_t Count>
BITPQ_FORCE_INLINE void interleave(const typename simd<T, Arch>::vec (&x)[Count],
                                   typename simd<T, Arch>::vec (&out)[Count]) noexcept {
  using moves = detail::lane_moves<T, Arch>;
  static_assert(Count == 2 || Count == 4);
  if constexpr (Count == 2) {
    moves::zip(x[0], x[1], out[0], out[1]);
  } else {
    typename simd<T, Arch>::vec even[2], odd[2];
    moves::zip(x[0], x[2], even[0], even[1]);
    moves::zip(x[1], x[3], odd[0], odd[1]);
    moves::zip(even[0], odd[0], out[0], out[1]);
    moves::zip(even[1], odd[1], out[2], out[3]);
  }
}

/// The same to p.
template <scalar T, class Arch, std::size_t Count>
BITPQ_FORCE_INLINE void store_interleaved(T* p, const typename simd<T, Arch>::vec (&x)[Count]) noexcept {
  typename simd<T, Arch>::vec out[Count];
  interleave<T, Arch>(x, out);
  BITPQ_UNROLL
  for (std::size_t i = 0; i < Count; ++i) simd<T, Arch>::store(p + i * simd<T, Arch>::size, out[i]);
}

}  // namespace v1
}  // namespace bitpq
