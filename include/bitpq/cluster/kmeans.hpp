// SPDX-License-Identifier: Apache-2.0
#pragma once

// Weighted k-means (Lloyd 1982) under the Euclidean or a Gram metric. The expectation and maximisation steps of Stock
// et al. 2020 (equations 4 and 5) are this algorithm on whitened points: see metric.hpp.

#include <bitpq/cluster/annealing.hpp>
#include <bitpq/cluster/seeding.hpp>
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
  bool finite = true;  // found first without a branch per element; then named
  for (std::size_t p = 0; p < points.rows(); ++p)
    for (std::size_t i = 0; i < points.cols(); ++i) finite &= std::isfinite(points(p, i));
  if (!finite) require_finite(points, "points");
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

/// Lloyd's iterations from given codewords; `run` numbers the run among the restarts.
template <scalar T>
kmeans_result<T> lloyd(const point_set<T>& points, aligned_buffer<T> codewords, const kmeans_params& params,
                       std::size_t run, executor_ref exec) {
  kmeans_result<T> result;
  result.codewords = std::move(codewords);
  result.clusters = result.codewords.size() / points.d();
  result.codes.resize(points.size());
  lloyd_pass<T> pass(points, result.clusters, exec);
  const codeword_noise noise(params, run);
  for (double previous = std::numeric_limits<double>::infinity();; ++result.iterations) {
    const cluster_sums& sums = pass.run(std::as_const(result.codewords).span(), result.codes, result.iterations > 0);
    result.objective = sums.objective;
    const bool go_on =
        !params.progress || params.progress({"k-means", run * params.max_iterations + result.iterations,
                                             (params.restarts + 1) * params.max_iterations, result.objective});
    const bool settled = previous - sums.objective <= params.tolerance * previous && result.iterations > noise.steps();
    result.stopped = !go_on ? stop_reason::cancelled : settled ? stop_reason::converged : stop_reason::max_iterations;
    if (!go_on || settled || result.iterations == params.max_iterations) return result;
    result.repaired += update_codewords<T>(points, result.codes, sums, result.codewords.span());
    noise.add<T>(result.iterations, sums, result.codewords.span());
    previous = sums.objective;
  }
}

}  // namespace detail

/// k-means of n x d `points` (any strides) with a weight each (empty: all 1), under the metric of `white`, which is
/// Euclidean by default. Returns codewords in the points' own space. Without annealing the objective never rises from
/// one iteration to the next beyond rounding. A cancelled run returns what it has. Deterministic: seed and kernels
/// decide, not threads. Throws bad_shape, bad_params or non_finite with the numbers.
/// O(iterations n K d). Memory beyond the input: two bytes per point for the codes (four with restarts), four where
/// points are sorted by them, at most eight for partial sums, and O(K d). Points are read where they lie if their
/// elements are neighbours and the metric is Euclidean; else each block is gathered and whitened whenever it is read,
/// by O(d^2) a point.
template <scalar T>
[[nodiscard]] kmeans_result<T> kmeans(std::type_identity_t<matrix_view<const T>> points,
                                      std::type_identity_t<std::span<const T>> weights, const kmeans_params& params,
                                      executor_ref exec = {}, const whitening& white = {}) {
  params.validate();
  detail::check_points<T>(points, weights);
  const detail::point_set<T> set(points, weights, white);
  const std::size_t clusters = limit_clusters(params.clusters, set.size(), params.limit);
  kmeans_result<T> best;
  for (std::size_t run = 0; run <= params.restarts; ++run) {
    kmeans_result<T> result =
        detail::lloyd(set, detail::seed_codewords(set, clusters, params, run, white, exec), params, run, exec);
    const stop_reason stopped = result.stopped;
    if (run == 0 || result.objective < best.objective) best = std::move(result);
    if (stopped != stop_reason::cancelled) continue;
    best.stopped = stopped;
    break;
  }
  white.invert(best.codewords.span(), set.d());
  return best;
}

}  // namespace v1
}  // namespace bitpq
