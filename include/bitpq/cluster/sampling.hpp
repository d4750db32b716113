// SPDX-License-Identifier: Apache-2.0
#pragma once

// Which points seeding looks at.

#include <bitpq/cluster/points.hpp>
#include <bitpq/core/random.hpp>

#include <unordered_map>
#include <vector>

namespace bitpq {
inline namespace v1 {
namespace detail {

/// k distinct indices below n, uniformly: the first steps of a Fisher-Yates shuffle, of which only what moved is kept.
/// O(k).
inline std::vector<std::size_t> distinct_indices(std::size_t k, std::size_t n, const random_stream& random) {
  std::unordered_map<std::size_t, std::size_t> moved;
  const auto at = [&](std::size_t i) {
    const auto found = moved.find(i);
    return found == moved.end() ? i : found->second;
  };
  std::vector<std::size_t> chosen;
  for (std::size_t i = 0; i < k; ++i) {
    const std::size_t j = i + random.below(i, n - i);
    chosen.push_back(at(j));
    moved[j] = at(i);
  }
  return chosen;
}

/// At most `most` points that bear weight, in order: all of them, or one drawn from each of `most` equal runs. O(n).
template <scalar T>
std::vector<std::size_t> spread_indices(const point_set<T>& points, std::size_t most, const random_stream& random) {
  std::size_t bearing = 0;
  for (std::size_t p = 0; p < points.size(); ++p) bearing += points.weight(p) > 0 ? 1 : 0;
  const std::size_t wanted = (std::min)(most, bearing);
  const auto start = [&](std::size_t run) {  // wanted * bearing may not fit
    return bearing / wanted * run + bearing % wanted * run / wanted;
  };
  const auto draw = [&](std::size_t run) { return start(run) + random.below(run, start(run + 1) - start(run)); };
  std::vector<std::size_t> chosen;
  chosen.reserve(wanted);
  std::size_t rank = 0, next = draw(0);
  for (std::size_t p = 0; chosen.size() < wanted; ++p) {
    if (!(points.weight(p) > 0) || rank++ != next) continue;
    chosen.push_back(p);
    if (chosen.size() < wanted) next = wanted == bearing ? rank : draw(chosen.size());
  }
  return chosen;
}

}  // namespace detail
}  // namespace v1
}  // namespace bitpq
