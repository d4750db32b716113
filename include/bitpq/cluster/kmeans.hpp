// SPDX-License-Identifier: Apache-2.0
#pragma once

// Weighted k-means (Lloyd 1982) under the Euclidean or a Gram metric. The expectation and maximisation steps of Stock
// et al. 2020 (equations 4 and 5) are this algorithm on whitened points: see metric.hpp.

#include <bitpq/cluster/metric.hpp>
#include <bitpq/cluster/step.hpp>

namespace bitpq {
inline namespace v1 {

enum class stop_reason { converged, max_iterations, cancelled };

constexpr const char* to_string(stop_reason reason) noexcept {
  switch (reason) {
    case stop_reason::converged: return "converged";
    case stop_reason::max_iterations: return "max_iterations";
    case stop_reason::cancelled: return "cancelled";
  }
  return "unknown";
}

template <scalar T>
struct kmeans_result {
  aligned_buffer<T> codewords;       ///< clusters x d
  std::size_t clusters = 0;          ///< after the limit
  std::vector<std::uint16_t> codes;  ///< nearest of these codewords, per point
  double objective = 0;              ///< sum of weight x squared distance in the metric, under these codes
  std::size_t iterations = 0;        ///< updates of the codewords
  std::size_t repaired = 0;          ///< empty clusters moved, over all iterations
  stop_reason stopped = stop_reason::converged;
};

namespace detail {

template <scalar T>
void check_points(const matrix_view<const T>& points, std::span<const T> weights) {
  require(!points.empty(), errc::bad_shape, "k-means over ", points.rows(), " points of ", points.cols(),
          " dimensions");
  require_finite(points, "points");
  require(weights.empty() || weights.size() == points.rows(), errc::bad_shape, weights.size(), " weights for ",
          points.rows(), " points");
  double total = weights.empty() ? 1 : 0;
  for (std::size_t p = 0; p < weights.size(); ++p) {
    require(std::isfinite(weights[p]) && weights[p] >= 0, errc::bad_params, "weight ", weights[p], " of point ", p,
            " is not a finite number >= 0");
    total += static_cast<double>(weights[p]);
  }
  require(total > 0, errc::bad_params, "all ", weights.size(), " weights are zero");
}

/// Lloyd's iterations on contiguous points.
template <scalar T>
kmeans_result<T> lloyd(const weighted_points<T>& points, const kmeans_params& params, executor_ref exec) {
  const kernel_table<T>& kernels = bitpq::kernels<T>();
  kmeans_result<T> result;
  result.clusters = limit_clusters(params.clusters, points.size(), params.limit);
  result.codewords = seed_codewords(points, result.clusters, params.seeding, params.seed, exec);
  result.codes.resize(points.size());
  for (double previous = std::numeric_limits<double>::infinity();; ++result.iterations) {
    const std::span<const T> codewords = std::as_const(result.codewords).span();
    codeword_columns<T>(codewords, points.d, kernels).nearest(points.values, result.codes, exec);
    const cluster_sums sums = accumulate<T>(points, result.codes, codewords, exec);
    result.objective = sums.objective;
    const bool go_on =
        !params.progress || params.progress({"k-means", result.iterations, params.max_iterations, result.objective});
    const bool settled = previous - sums.objective <= params.tolerance * previous && result.iterations > 0;
    result.stopped = !go_on ? stop_reason::cancelled : settled ? stop_reason::converged : stop_reason::max_iterations;
    if (!go_on || settled || result.iterations == params.max_iterations) return result;
    result.repaired += update_codewords<T>(points, result.codes, sums, result.codewords.span());
    previous = sums.objective;
  }
}

}  // namespace detail

/// k-means of n x d `points` (any strides) with a weight each (empty: all 1), under the metric of `white`, which is
/// Euclidean by default. Returns codewords in the points' own space. The objective never rises from one iteration to
/// the next beyond rounding. A cancelled run returns what it has. Deterministic: seed and kernels decide, not threads.
/// Throws bad_shape, bad_params or non_finite with the numbers. O(iterations n K d); memory beyond the input: a copy
/// of the points, two bytes per point, and up to 64 MB of partial sums.
template <scalar T>
[[nodiscard]] kmeans_result<T> kmeans(std::type_identity_t<matrix_view<const T>> points,
                                      std::type_identity_t<std::span<const T>> weights, const kmeans_params& params,
                                      executor_ref exec = {}, const whitening& white = {}) {
  params.validate();
  detail::check_points<T>(points, weights);
  const std::size_t n = points.rows(), d = points.cols();
  aligned_buffer<T> copy(n * d);
  for (std::size_t p = 0; p < n; ++p)
    for (std::size_t i = 0; i < d; ++i) copy[p * d + i] = points(p, i);
  white.apply(copy.span(), d);
  kmeans_result<T> result = detail::lloyd<T>({std::as_const(copy).span(), weights, d}, params, exec);
  white.invert(result.codewords.span(), d);
  return result;
}

}  // namespace v1
}  // namespace bitpq
