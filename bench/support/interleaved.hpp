// SPDX-License-Identifier: Apache-2.0
#pragma once

// Several ways of computing the same thing, timed in turn in one process, so that a busy machine slows all alike: the
// figures to trust are the ratios.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <vector>

namespace bench {

/// The q-quantile, 0 <= q <= 1.
inline double quantile(std::vector<double> values, double q) {
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(q * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

/// Seconds of one call of f, averaged over `calls`.
template <class F>
double seconds(const F& f, int calls = 1) {
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < calls; ++i) f();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() / calls;
}

/// The least of a few calls: a first look, to choose between variants of one peer and to size samples.
template <class F>
double quick_look(const F& f) {
  static_cast<void>(seconds(f));
  return std::min({seconds(f), seconds(f), seconds(f)});
}

/// Takes samples of each way in turn. A sample is as many calls as fill sample_seconds, at least one.
class interleaved {
 public:
  static constexpr double sample_seconds = 2e-3;
  static constexpr int rounds = 15;  ///< for benchmark::Benchmark::Iterations

  /// Returns the way's number. Calls f a few times.
  std::size_t add(std::function<void()> f) {
    const double once = std::max(quick_look(f), 1e-8);
    ways_.push_back({std::move(f), std::max(1, static_cast<int>(sample_seconds / once)), {}});
    return ways_.size() - 1;
  }

  /// One round per iteration of `state`, whose time is that of way `reported`. Register with UseManualTime().
  void run(benchmark::State& state, std::size_t reported) {
    while (state.KeepRunning()) {
      for (way& w : ways_) w.samples.push_back(seconds(w.f, w.calls));
      state.SetIterationTime(ways_[reported].samples.back());
    }
  }

  [[nodiscard]] double median(std::size_t one) const { return quantile(ways_[one].samples, 0.5); }

  /// The q-quantile, over the rounds, of the time of one way / the time of another.
  [[nodiscard]] double ratio(std::size_t one, std::size_t other, double q) const {
    std::vector<double> ratios = ways_[one].samples;
    for (std::size_t i = 0; i < ratios.size(); ++i) ratios[i] /= ways_[other].samples[i];
    return quantile(std::move(ratios), q);
  }

 private:
  struct way {
    std::function<void()> f;
    int calls;
    std::vector<double> samples;
  };
  std::vector<way> ways_;
};

}  // namespace bench
