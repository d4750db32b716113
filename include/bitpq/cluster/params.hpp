// SPDX-License-Identifier: Apache-2.0
#pragma once

// Options of k-means, and how many clusters a number of points can carry.

#include <bitpq/codec/code_format.hpp>
#include <bitpq/core/progress.hpp>

#include <algorithm>

namespace bitpq {
inline namespace v1 {

enum class seeding_method {
  random,            ///< distinct points, uniformly
  kmeans_plus_plus,  ///< Arthur and Vassilvitskii 2007: each next point with probability ~ weight x squared distance
};

/// What to do when more clusters are asked for than the points can carry.
enum class cluster_limit {
  strict,  ///< more clusters than points is an error
  points,  ///< at most as many clusters as points
  paper,   ///< at most the largest power of two below a quarter of the points (Stock et al. 2020, section 4)
};

/// `clusters`, reduced as the limit says; at least 1. Throws bad_params for strict and clusters > points.
[[nodiscard]] inline std::size_t limit_clusters(std::size_t clusters, std::size_t points, cluster_limit limit) {
  if (limit == cluster_limit::strict)
    require(clusters <= points, errc::bad_params, clusters, " clusters exceed ", points, " points");
  std::size_t most = points;
  if (limit == cluster_limit::paper) {
    most = 1;
    while (most * 2 < ceil_div(points, 4)) most *= 2;
  }
  return (std::max)(std::size_t{1}, (std::min)(clusters, most));
}

struct kmeans_params {
  std::size_t clusters = 256;
  cluster_limit limit = cluster_limit::points;
  seeding_method seeding = seeding_method::kmeans_plus_plus;
  std::size_t max_iterations = 50;
  double tolerance = 1e-4;  ///< stop when an iteration lowers the objective by less than this share of it
  std::uint64_t seed = 0;
  progress_callback progress{};  ///< once per iteration; stage "k-means"

  /// Throws bad_params with the offending number.
  void validate() const {
    require(clusters >= 1 && clusters <= max_codewords, errc::bad_params, "clusters ", clusters, " outside 1 .. ",
            max_codewords);
    require(max_iterations >= 1, errc::bad_params, "max_iterations ", max_iterations, " is below 1");
    require(tolerance >= 0 && std::isfinite(tolerance), errc::bad_params, "tolerance ", tolerance,
            " is not a finite number >= 0");
  }
};

}  // namespace v1
}  // namespace bitpq
