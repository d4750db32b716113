// SPDX-License-Identifier: Apache-2.0
#pragma once

// How far points are from the codewords chosen so far, which is what seeding by distances draws from.

#include <bitpq/kernel/simd.hpp>

namespace bitpq {
inline namespace v1 {

/// values[p] = min(values[p], weights[p] |v_p - c|^2) for p < n, n a multiple of the vectors; returns their sum.
/// Element i of point p is columns[i * ld + p]. O(n d).
template <scalar T, class Arch>
T lower_potentials(const T* columns, std::size_t ld, std::size_t n, std::size_t d, const T* c, const T* weights,
                   T* values) noexcept {
  using s = simd<T, Arch>;
  typename s::vec total = s::set(T{0});
  for (std::size_t p = 0; p < n; p += s::size) {
    typename s::vec distance = s::set(T{0});
    for (std::size_t i = 0; i < d; ++i) {
      const typename s::vec difference = s::sub(s::load(columns + i * ld + p), s::set(c[i]));
      distance = s::fma(difference, difference, distance);
    }
    const typename s::vec before = s::load(values + p);
    const typename s::vec value = s::mul(distance, s::load(weights + p));
    const typename s::vec least = s::select(s::less(value, before), value, before);
    s::store(values + p, least);
    total = s::add(total, least);
  }
  return s::sum(total);
}

}  // namespace v1
}  // namespace bitpq
