// SPDX-License-Identifier: Apache-2.0
#pragma once

// Two ways of computing the same thing, timed in turn in one process, so that a busy machine slows both alike: the
// figure to trust is the ratio.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <vector>

namespace bench {

/// Relative difference in the Frobenius norm.
inline double relative_error(const std::vector<float>& value, const std::vector<float>& reference) {
  double error = 0, energy = 0;
  for (std::size_t i = 0; i < value.size(); ++i) {
    const double difference = static_cast<double>(value[i]) - static_cast<double>(reference[i]);
    error += difference * difference;
    energy += static_cast<double>(reference[i]) * static_cast<double>(reference[i]);
  }
  return energy > 0 ? std::sqrt(error / energy) : std::sqrt(error);
}

/// The q-quantile, 0 <= q <= 1.
inline double quantile(std::vector<double> values, double q) {
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(q * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

/// Seconds of one call of f, averaged over `calls`.
template <class F>
double seconds(F& f, int calls) {
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < calls; ++i) f();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() / calls;
}

/// Reports the time of `ours`, and as counters `ratio` (time of `peer` / time of `ours`, median over the iterations, of
/// which each is one interleaved pair) and `ratio_p10`. Register with UseManualTime() and at least 9 iterations.
template <class Peer, class Ours>
void paired(benchmark::State& state, Peer peer, Ours ours) {
  const int calls = std::max(1, static_cast<int>(1e-3 / std::max(seconds(ours, 1), 1e-7)));  // a millisecond a sample
  static_cast<void>(seconds(peer, 1));
  std::vector<double> ratios;
  for (auto _ : state) {
    const double theirs = seconds(peer, calls), own = seconds(ours, calls);
    state.SetIterationTime(own);
    ratios.push_back(theirs / own);
  }
  state.counters["ratio"] = quantile(ratios, 0.5);
  state.counters["ratio_p10"] = quantile(ratios, 0.1);
}

}  // namespace bench
