// SPDX-License-Identifier: Apache-2.0
#pragma once

// Options of k-means, and how many clusters a number of points can carry.

#include <bitpq/codec/code_format.hpp>
#include <bitpq/core/progress.hpp>

#include <algorithm>
#include <vector>

namespace bitpq {
inline namespace v1 {

enum class seeding_method {
  random,            ///< distinct points, uniformly
  kmeans_plus_plus,  ///< Arthur and Vassilvitskii 2007: each next point with probability ~ weight x squared distance
  kmeans_parallel,   ///< k-means|| (Bahmani et al. 2012): as many candidates as clusters at a time, five times, reduced
  given,             ///< kmeans_params::initial
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

  /// Points per cluster, drawn evenly, that k-means++ and k-means|| choose from; 0: all points.
  std::size_t seeding_sample = 64;
  /// For seeding_method::given, which needs them, and for no other: clusters x d, row-major, in the points' own space.
  std::vector<double> initial{};
  /// Further runs from other seeds, of which the result with the least objective is kept.
  std::size_t restarts = 0;
  /// Noise on the codewords after their update t, in each coordinate a normal one of standard deviation `annealing`
  /// x (1 - t / T)^0.5 x the root mean square of what the points are off by; T is half of max_iterations, and nothing
  /// stops the run before. 0: none, and the objective never rises.
  double annealing = 0;
  /// Points that kmeans_batches holds at a time.
  std::size_t batch = 65536;

  /// Throws bad_params with the offending number.
  void validate() const {
    require(clusters >= 1 && clusters <= max_codewords, errc::bad_params, "clusters ", clusters, " outside 1 .. ",
            max_codewords);
    require(max_iterations >= 1, errc::bad_params, "max_iterations ", max_iterations, " is below 1");
    require(tolerance >= 0 && std::isfinite(tolerance), errc::bad_params, "tolerance ", tolerance,
            " is not a finite number >= 0");
    require(annealing >= 0 && std::isfinite(annealing), errc::bad_params, "annealing ", annealing,
            " is not a finite number >= 0");
    require(batch >= 1, errc::bad_params, "batch ", batch, " is below 1");
    validate_initial();
  }

 private:
  void validate_initial() const {
    const bool given = seeding == seeding_method::given;
    require(given != initial.empty(), errc::bad_params, initial.size(),
            given ? " initial codeword elements for seeding_method::given"
                  : " initial codeword elements without seeding_method::given");
    require(!given || restarts == 0 || annealing > 0, errc::bad_params, restarts,
            " restarts from given codewords without annealing would repeat the first run");
    for (std::size_t i = 0; i < initial.size(); ++i)
      require(std::isfinite(initial[i]), errc::non_finite, "initial codewords hold ", initial[i], " at ", i);
  }
};

}  // namespace v1
}  // namespace bitpq
