// SPDX-License-Identifier: Apache-2.0
#pragma once

// Annealed k-means: noise on the codewords that fades, so that early steps may leave the valley that the seeds lie in.
// The schedule (1 - t / T)^0.5 is that of the stochastic relaxations of Zeger et al. 1992 and LSQ++ (Martinez et al.
// 2018); the noise is in units of what the points are off by, so that the scale of the data does not matter.

#include <bitpq/cluster/params.hpp>
#include <bitpq/cluster/step.hpp>
#include <bitpq/core/random.hpp>

namespace bitpq {
inline namespace v1 {
namespace detail {

class codeword_noise {
 public:
  codeword_noise(const kmeans_params& params, std::size_t run)
      : amount_(params.annealing),
        steps_(amount_ > 0 ? params.max_iterations / 2 : 0),
        random_(params.seed, 3 + 4 * run) {}

  /// How many updates are disturbed.
  [[nodiscard]] std::size_t steps() const noexcept { return steps_; }

  /// Disturbs the codewords after update number t, which was made from `sums`. O(K d).
  template <scalar T>
  void add(std::size_t t, const cluster_sums& sums, std::span<T> codewords) const noexcept {
    if (t >= steps_) return;
    const std::size_t clusters = sums.weights.size(), d = codewords.size() / clusters;
    double total = 0;
    for (const double weight : sums.weights) total += weight;
    const double left = 1 - static_cast<double>(t) / static_cast<double>(steps_);
    const double deviation = amount_ * std::sqrt(left * sums.objective / (total * static_cast<double>(d)));
    for (std::size_t i = 0; i < codewords.size(); ++i)
      codewords[i] =
          static_cast<T>(static_cast<double>(codewords[i]) + deviation * random_.normal(t * codewords.size() + i));
  }

 private:
  double amount_;
  std::size_t steps_;
  random_stream random_;
};

}  // namespace detail
}  // namespace v1
}  // namespace bitpq
