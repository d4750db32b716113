// SPDX-License-Identifier: Apache-2.0
#pragma once

// The two halves of an iteration of k-means: assign each point to its nearest codeword, move each codeword to the
// weighted mean of its points.

#include <bitpq/cluster/seeding.hpp>
#include <bitpq/kernel/dispatch.hpp>

namespace bitpq {
inline namespace v1 {
namespace detail {

/// Codewords as the assignment kernel reads them: columns padded to whole vectors, with half their squared norms. The
/// kernel compares |c|^2 / 2 - v.c, whose rounding grows with the distance from the origin and which overflows far
/// from it, so points and codewords are moved to the codewords' mean and scaled, by a power of two, to about 1.
template <scalar T>
class codeword_columns {
 public:
  codeword_columns(std::span<const T> codewords, std::size_t d, const kernel_table<T>& kernels)
      : kernels_(&kernels),
        d_(d),
        padded_(round_up(codewords.size() / d, kernels.lanes)),
        columns_(d * padded_),
        half_norms_(padded_),
        origin_(d) {
    const std::size_t clusters = codewords.size() / d;
    for (std::size_t i = 0; i < d; ++i) {
      double sum = 0;
      for (std::size_t k = 0; k < clusters; ++k) sum += static_cast<double>(codewords[k * d + i]);
      origin_[i] = static_cast<T>(sum / static_cast<double>(clusters));
    }
    T largest = 0;
    for (std::size_t j = 0; j < codewords.size(); ++j)
      largest = (std::max)(largest, std::abs(codewords[j] - origin_[j % d]));
    if (largest > 0 && std::isfinite(largest)) {
      constexpr int most = std::numeric_limits<T>::max_exponent - 2;
      scale_ = std::ldexp(T{1}, std::clamp(-std::ilogb(largest), -most, most));
    }
    std::fill(half_norms_.begin(), half_norms_.end(), (std::numeric_limits<T>::infinity)());
    for (std::size_t k = 0; k < clusters; ++k) {
      double norm = 0;
      for (std::size_t i = 0; i < d; ++i) {
        const T value = moved(codewords[k * d + i], i);
        columns_[i * padded_ + k] = value;
        norm += static_cast<double>(value) * static_cast<double>(value);
      }
      half_norms_[k] = static_cast<T>(norm / 2);
    }
  }

  /// codes[p] = nearest codeword of point p of `points` (n x d contiguous), the lowest of equals; O(n K d).
  void nearest(std::span<const T> points, std::span<std::uint16_t> codes, executor_ref exec) const {
    constexpr std::size_t chunk = 4096;
    exec.bulk(ceil_div(codes.size(), chunk), [&](std::size_t, std::size_t task) {
      const std::size_t first = task * chunk, n = (std::min)(chunk, codes.size() - first);
      aligned_buffer<T> local(n * d_);
      for (std::size_t p = 0; p < n; ++p)
        for (std::size_t i = 0; i < d_; ++i) local[p * d_ + i] = moved(points[(first + p) * d_ + i], i);
      kernels_->nearest(local.data(), n, d_, columns_.data(), half_norms_.data(), padded_, codes.data() + first);
    });
  }

 private:
  [[nodiscard]] T moved(T value, std::size_t i) const noexcept { return (value - origin_[i]) * scale_; }

  const kernel_table<T>* kernels_;
  std::size_t d_;
  std::size_t padded_;
  aligned_buffer<T> columns_;
  aligned_buffer<T> half_norms_;
  std::vector<T> origin_;
  T scale_ = 1;
};

/// Weighted sums per cluster and the objective under the assignment they were gathered with.
struct cluster_sums {
  std::vector<double> sums;     // K x d
  std::vector<double> weights;  // K
  double objective = 0;         // sum of weight x squared distance

  cluster_sums(std::size_t clusters, std::size_t d) : sums(clusters * d), weights(clusters) {}
};

/// In double precision over a number of chunks that depends on the sizes alone, added in order; O(n d).
template <scalar T>
cluster_sums accumulate(const weighted_points<T>& points, std::span<const std::uint16_t> codes,
                        std::span<const T> codewords, executor_ref exec) {
  const std::size_t d = points.d, clusters = codewords.size() / d, n = points.size();
  const std::size_t affordable = (std::size_t{1} << 23) / (clusters * (d + 1)) + 1;  // 64 MB of partial sums
  const std::size_t chunks = (std::min)({std::size_t{32}, ceil_div(n, 1024), affordable});
  const std::size_t chunk = ceil_div(n, chunks);
  std::vector<cluster_sums> partial(chunks, cluster_sums(clusters, d));
  exec.bulk(chunks, [&](std::size_t, std::size_t c) {
    cluster_sums& local = partial[c];
    for (std::size_t p = c * chunk; p < (std::min)((c + 1) * chunk, n); ++p) {
      const T* const v = points.point(p);
      const double weight = points.weight(p);
      double* const sum = local.sums.data() + codes[p] * d;
      for (std::size_t i = 0; i < d; ++i) sum[i] += weight * static_cast<double>(v[i]);
      local.weights[codes[p]] += weight;
      local.objective += weight * squared_distance(v, codewords.data() + codes[p] * d, d);
    }
  });
  for (std::size_t c = 1; c < chunks; ++c) {
    for (std::size_t i = 0; i < partial[0].sums.size(); ++i) partial[0].sums[i] += partial[c].sums[i];
    for (std::size_t k = 0; k < clusters; ++k) partial[0].weights[k] += partial[c].weights[k];
    partial[0].objective += partial[c].objective;
  }
  return std::move(partial[0]);
}

/// Moves codewords without weight to the points that are worst served, the worst first. Bounded: one pass, each point
/// once; when no point is left at a distance, the codeword stays where it is, a spare. Returns how many were moved.
template <scalar T>
std::size_t repair_empty(const weighted_points<T>& points, std::span<const std::uint16_t> codes,
                         const cluster_sums& sums, std::span<const T> before, std::span<T> codewords) {
  std::vector<std::size_t> empty;
  for (std::size_t k = 0; k < sums.weights.size(); ++k)
    if (!(sums.weights[k] > 0)) empty.push_back(k);
  if (empty.empty()) return 0;
  const std::size_t d = points.d;
  std::vector<std::pair<double, std::size_t>> worst(points.size());
  for (std::size_t p = 0; p < points.size(); ++p)
    worst[p] = {-points.weight(p) * squared_distance(points.point(p), before.data() + codes[p] * d, d), p};
  const std::size_t wanted = (std::min)(empty.size(), worst.size());
  std::partial_sort(worst.begin(), worst.begin() + static_cast<std::ptrdiff_t>(wanted), worst.end());
  std::size_t moved = 0;
  for (; moved < wanted && worst[moved].first < 0; ++moved)
    std::copy_n(points.point(worst[moved].second), d, codewords.data() + empty[moved] * d);
  return moved;
}

/// Codewords to the means of their points; those without weight to badly served points. Returns how many were empty
/// and moved.
template <scalar T>
std::size_t update_codewords(const weighted_points<T>& points, std::span<const std::uint16_t> codes,
                             const cluster_sums& sums, std::span<T> codewords) {
  const std::size_t d = points.d;
  const std::vector<T> before(codewords.begin(), codewords.end());
  for (std::size_t k = 0; k < sums.weights.size(); ++k)
    for (std::size_t i = 0; i < d && sums.weights[k] > 0; ++i)
      codewords[k * d + i] = static_cast<T>(sums.sums[k * d + i] / sums.weights[k]);
  return repair_empty<T>(points, codes, sums, before, codewords);
}

}  // namespace detail
}  // namespace v1
}  // namespace bitpq
