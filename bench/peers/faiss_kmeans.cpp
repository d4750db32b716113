// SPDX-License-Identifier: Apache-2.0

// k-means of Gaussian points by faiss and by bitpq, one thread, from the same codewords and for as many iterations.
// Both sides are the libraries' public calls, checks of their arguments included; bitpq assigns once more, for its
// codes belong to the codewords that it returns. Verified first: the objectives of what both return, computed here in
// double precision, are within 0.1 %. Rows: kmeans/faiss/n<points>/d<dimensions>/k<clusters>

#include "support/allocations.hpp"
#include "support/interleaved.hpp"
#include "support/random_layer.hpp"

#include <bitpq/cluster/kmeans.hpp>

#include <faiss/Clustering.h>
#include <faiss/IndexFlat.h>
#include <omp.h>

#include <cmath>
#include <string>

namespace {

struct problem {
  std::size_t n, d, clusters;
  int iterations;
};

constexpr int rounds = 5;  ///< samples of each side; every one is a whole run

class both_sides {
 public:
  explicit both_sides(const problem& p)
      : problem_(p),
        points_(bench::gaussian(p.n * p.d, 11)),
        initial_(points_.data(), points_.data() + p.clusters * p.d) {}

  void theirs() {
    faiss::ClusteringParameters params;
    params.niter = problem_.iterations;
    params.min_points_per_centroid = 1;
    params.max_points_per_centroid = static_cast<int>(problem_.n);  // no subsampling
    faiss::Clustering clustering(static_cast<int>(problem_.d), static_cast<int>(problem_.clusters), params);
    clustering.centroids = initial_;
    faiss::IndexFlatL2 index(static_cast<faiss::Index::idx_t>(problem_.d));
    clustering.train(static_cast<faiss::Index::idx_t>(problem_.n), points_.data(), index);
    their_words_ = std::move(clustering.centroids);
  }

  void ours() {
    bitpq::kmeans_params params;
    params.clusters = problem_.clusters;
    params.max_iterations = static_cast<std::size_t>(problem_.iterations);
    params.tolerance = 0;
    params.seeding = bitpq::seeding_method::given;
    params.initial.assign(initial_.begin(), initial_.end());
    result_ = bitpq::kmeans<float>({points_.data(), problem_.n, problem_.d}, {}, params);
  }

  [[nodiscard]] double their_objective() const { return objective_of(their_words_.data()); }
  [[nodiscard]] double our_objective() const { return objective_of(result_.codewords.data()); }
  /// What bitpq says of itself.
  [[nodiscard]] const bitpq::kmeans_result<float>& result() const noexcept { return result_; }

 private:
  /// Mean squared distance to the nearest codeword.
  [[nodiscard]] double objective_of(const float* words) const {
    double sum = 0;
    for (std::size_t p = 0; p < problem_.n; ++p) {
      double least = INFINITY;
      for (std::size_t k = 0; k < problem_.clusters; ++k) {
        double distance = 0;
        for (std::size_t i = 0; i < problem_.d; ++i) {
          const double difference =
              static_cast<double>(points_[p * problem_.d + i]) - static_cast<double>(words[k * problem_.d + i]);
          distance += difference * difference;
        }
        least = std::min(least, distance);
      }
      sum += least;
    }
    return sum / static_cast<double>(problem_.n);
  }

  problem problem_;
  std::vector<float> points_, initial_;
  std::vector<float> their_words_;
  bitpq::kmeans_result<float> result_;
};

void kmeans(benchmark::State& state, const problem& p) {
  omp_set_num_threads(1);
  both_sides sides(p);
  sides.theirs();
  const std::size_t memory = bench::peak_allocation([&] { sides.ours(); });
  const double their_objective = sides.their_objective(), our_objective = sides.our_objective();
  const double reported = sides.result().objective / static_cast<double>(p.n);
  if (std::abs(our_objective / their_objective - 1) > 1e-3 || std::abs(our_objective / reported - 1) > 1e-5 ||
      sides.result().iterations != static_cast<std::size_t>(p.iterations)) {
    state.SkipWithError(("objectives " + std::to_string(their_objective) + " of the peer, " +
                         std::to_string(our_objective) + " of bitpq, which reports " + std::to_string(reported) +
                         " after " + std::to_string(sides.result().iterations) + " iterations")
                            .c_str());
    return;
  }
  std::vector<double> ratios, theirs, ours;
  while (state.KeepRunning()) {
    theirs.push_back(bench::seconds([&] { sides.theirs(); }) / p.iterations);
    ours.push_back(bench::seconds([&] { sides.ours(); }) / p.iterations);
    ratios.push_back(theirs.back() / ours.back());
    state.SetIterationTime(ours.back());
  }
  state.counters["ratio"] = bench::quantile(ratios, 0.5);
  state.counters["ratio_p10"] = bench::quantile(ratios, 0.1);
  state.counters["objective"] = our_objective;
  state.counters["peer_objective"] = their_objective;
  state.counters["peer_ms"] = 1e3 * bench::quantile(theirs, 0.5);
  state.counters["bytes_per_vector"] = static_cast<double>(memory) / static_cast<double>(p.n);
}

const int registered = [] {
  // As many iterations as are faiss' default; fewer where it takes minutes.
  for (const problem& p :
       {problem{262144, 9, 256, 25}, {262144, 4, 256, 25}, {131072, 18, 256, 25}, {512000, 4, 2048, 10}})
    benchmark::RegisterBenchmark(
        ("kmeans/faiss/n" + std::to_string(p.n) + "/d" + std::to_string(p.d) + "/k" + std::to_string(p.clusters))
            .c_str(),
        [p](benchmark::State& state) { kmeans(state, p); })
        ->UseManualTime()
        ->Iterations(rounds)
        ->Unit(benchmark::kMillisecond);
  return 0;
}();

}  // namespace
