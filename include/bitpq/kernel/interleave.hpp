// SPDX-License-Identifier: Apache-2.0
#pragma once

// Between vectors and one run of alternating elements: every second or fourth element of a run, and runs made of these.

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

/// out[j][i] = p[i * Step + j], j < Step + 2: what neighbours `Step` apart see through a window of Step + 2, for a step
/// of 2 or 4. Reads up to p[size * Step + 1].
template <std::size_t Step, scalar T, class Arch>
BITPQ_FORCE_INLINE void load_windows(const T* p, typename simd<T, Arch>::vec (&out)[Step + 2]) noexcept {
  using s = simd<T, Arch>;
  using moves = detail::lane_moves<T, Arch>;
  static_assert(Step == 2 || Step == 4);
  if constexpr (Step == 2) {
    const typename s::vec a = s::load(p), b = s::load(p + s::size);
    out[0] = moves::even(a, b);
    out[1] = moves::odd(a, b);
  } else {
    const typename s::vec a = s::load(p), b = s::load(p + s::size);
    const typename s::vec c = s::load(p + 2 * s::size), d = s::load(p + 3 * s::size);
    const typename s::vec even_front = moves::even(a, b), even_back = moves::even(c, d);
    const typename s::vec odd_front = moves::odd(a, b), odd_back = moves::odd(c, d);
    out[0] = moves::even(even_front, even_back);
    out[1] = moves::even(odd_front, odd_back);
    out[2] = moves::odd(even_front, even_back);
    out[3] = moves::odd(odd_front, odd_back);
  }
  out[Step] = moves::next(out[0], p[Step * s::size]);
  out[Step + 1] = moves::next(out[1], p[Step * s::size + 1]);
}

/// x[0][0], x[1][0], ..., x[0][1], x[1][1], ... to p, of 2 or 4 vectors.
template <scalar T, class Arch, std::size_t Count>
BITPQ_FORCE_INLINE void store_interleaved(T* p, const typename simd<T, Arch>::vec (&x)[Count]) noexcept {
  using s = simd<T, Arch>;
  using moves = detail::lane_moves<T, Arch>;
  static_assert(Count == 2 || Count == 4);
  typename s::vec out[Count];
  if constexpr (Count == 2) {
    moves::zip(x[0], x[1], out[0], out[1]);
  } else {
    typename s::vec even[2], odd[2];
    moves::zip(x[0], x[2], even[0], even[1]);
    moves::zip(x[1], x[3], odd[0], odd[1]);
    moves::zip(even[0], odd[0], out[0], out[1]);
    moves::zip(even[1], odd[1], out[2], out[3]);
  }
  BITPQ_UNROLL
  for (std::size_t i = 0; i < Count; ++i) s::store(p + i * s::size, out[i]);
}

}  // namespace v1
}  // namespace bitpq
