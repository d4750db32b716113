// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a k-means step needs of points that have just been assigned, while they are in the cache.

#include <bitpq/kernel/accumulate_avx2.hpp>

namespace bitpq {
inline namespace v1 {

/// Adds points to the clusters that their codes name, in double precision: for p < n, sums[codes[p]] += weight x
/// (point - codeword) and totals[codes[p]] += weight. Returns the sum of weight x squared distance. Point p begins at
/// points + p * stride; null weights are all 1; sums are at a stride of sum_stride(d), of which the elements from d on
/// stay as they are. Differences rather than points, so that nothing cancels however far from the origin a cluster
/// lies. O(n d).
template <scalar T, class Arch>
double add_to_clusters(const T* points, std::ptrdiff_t stride, std::size_t n, std::size_t d, const T* weights,
                       const std::uint16_t* codes, const T* codewords, double* sums, double* totals) noexcept {
  detail::difference_adder<T, Arch> adder(d);
  for (std::size_t p = 0; p < n; ++p, points += stride) {
    const std::size_t code = codes[p];
    const double weight = weights == nullptr ? 1.0 : static_cast<double>(weights[p]);
    adder.add(points, codewords + code * d, weight, sums + code * sum_stride(d));
    totals[code] += weight;
  }
  return adder.error();
}

}  // namespace v1
}  // namespace bitpq
