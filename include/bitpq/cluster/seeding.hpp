// SPDX-License-Identifier: Apache-2.0
#pragma once

// The first codewords of k-means.

#include <bitpq/cluster/params.hpp>
#include <bitpq/core/aligned_buffer.hpp>
#include <bitpq/core/executor.hpp>
#include <bitpq/core/random.hpp>

#include <numeric>
#include <vector>

namespace bitpq {
inline namespace v1 {
namespace detail {

/// Points as k-means sees them: n x d contiguous, and a weight each (empty: all 1).
template <scalar T>
struct weighted_points {
  std::span<const T> values;
  std::span<const T> weights;
  std::size_t d;

  [[nodiscard]] std::size_t size() const noexcept { return values.size() / d; }
  [[nodiscard]] const T* point(std::size_t p) const noexcept { return values.data() + p * d; }
  [[nodiscard]] double weight(std::size_t p) const noexcept {
    return weights.empty() ? 1.0 : static_cast<double>(weights[p]);
  }
};

template <scalar T>
double squared_distance(const T* a, const T* b, std::size_t d) noexcept {
  double sum = 0;
  for (std::size_t i = 0; i < d; ++i) {
    const double difference = static_cast<double>(a[i]) - static_cast<double>(b[i]);
    sum += difference * difference;
  }
  return sum;
}

/// k distinct indices below n, uniformly: the first steps of a Fisher-Yates shuffle. O(n).
inline std::vector<std::size_t> distinct_indices(std::size_t k, std::size_t n, const random_stream& random) {
  std::vector<std::size_t> indices(n);
  std::iota(indices.begin(), indices.end(), std::size_t{0});
  for (std::size_t i = 0; i < k; ++i) std::swap(indices[i], indices[i + random.below(i, n - i)]);
  indices.resize(k);
  return indices;
}

/// Squared distances to the nearest chosen point times weights, kept up to date in chunks whose sums are ordered, so
/// that a draw does not depend on threads.
template <scalar T>
class potential {
 public:
  explicit potential(const weighted_points<T>& points)
      : points_(points),
        values_(points.size(), std::numeric_limits<double>::infinity()),
        sums_(ceil_div(points.size(), chunk)) {}

  /// Takes the point `chosen` into account; O(n d).
  void include(std::size_t chosen, executor_ref exec) {
    exec.bulk(sums_.size(), [&](std::size_t, std::size_t c) {
      double sum = 0;
      for (std::size_t p = c * chunk; p < (std::min)((c + 1) * chunk, values_.size()); ++p) {
        const double distance = squared_distance(points_.point(p), points_.point(chosen), points_.d);
        values_[p] = (std::min)(values_[p], points_.weight(p) * distance);
        sum += values_[p];
      }
      sums_[c] = sum;
    });
  }

  /// A point with probability proportional to its potential, u uniform in [0, 1); n when every potential is zero.
  [[nodiscard]] std::size_t draw(double u) const noexcept {
    const double total = std::accumulate(sums_.begin(), sums_.end(), 0.0);
    double left = u * total;
    std::size_t last = values_.size();  // the last point that could be drawn: rounding may run past the end
    for (std::size_t c = 0; c < sums_.size(); ++c) {
      if (sums_[c] <= 0) continue;
      if (left >= sums_[c] && c + 1 < sums_.size()) {
        left -= sums_[c];
        last = (c + 1) * chunk - 1;
        continue;
      }
      for (std::size_t p = c * chunk; p < (std::min)((c + 1) * chunk, values_.size()); ++p) {
        if (values_[p] <= 0) continue;
        last = p;
        if (left < values_[p]) return p;
        left -= values_[p];
      }
    }
    return last;
  }

 private:
  static constexpr std::size_t chunk = 4096;

  weighted_points<T> points_;
  std::vector<double> values_;
  std::vector<double> sums_;
};

template <scalar T>
std::vector<std::size_t> kmeans_plus_plus(const weighted_points<T>& points, std::size_t k, const random_stream& random,
                                          executor_ref exec) {
  potential<T> potentials(points);
  std::vector<std::size_t> chosen{random.below(0, points.size())};
  while (chosen.size() < k) {
    potentials.include(chosen.back(), exec);
    const std::size_t next = potentials.draw(random.uniform(chosen.size()));
    // Fewer distinct points than clusters: any point will do, its cluster stays empty.
    chosen.push_back(next < points.size() ? next : random.below(chosen.size(), points.size()));
  }
  return chosen;
}

/// k x d codewords; k <= n. O(n) at random, O(n k d) by k-means++.
template <scalar T>
aligned_buffer<T> seed_codewords(const weighted_points<T>& points, std::size_t k, seeding_method method,
                                 std::uint64_t seed, executor_ref exec) {
  const random_stream random(seed, 1);
  const std::vector<std::size_t> chosen = method == seeding_method::random ? distinct_indices(k, points.size(), random)
                                                                           : kmeans_plus_plus(points, k, random, exec);
  aligned_buffer<T> codewords(k * points.d);
  for (std::size_t c = 0; c < k; ++c) std::copy_n(points.point(chosen[c]), points.d, codewords.data() + c * points.d);
  return codewords;
}

}  // namespace detail
}  // namespace v1
}  // namespace bitpq
