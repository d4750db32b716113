// SPDX-License-Identifier: Apache-2.0
#pragma once

// One row: a peer and bitpq verified, then timed in turn, then counted. The counters are explained in
// docs/performance.md.

#include "support/allocations.hpp"
#include "support/interleaved.hpp"
#include "support/reference.hpp"
#include "support/roofline.hpp"

#include <bitpq/gemm/prepack.hpp>

#include <string>

namespace bench {

/// The error that each precision declares.
constexpr double bound_of(bitpq::precision p) noexcept {
  switch (p) {
    case bitpq::precision::exact: return 1e-5;
    case bitpq::precision::lut16: return 1e-4;
    case bitpq::precision::int8: return 5e-2;
  }
  return 0;
}

/// The last part of a row's name.
constexpr const char* suffix_of(bitpq::precision p) noexcept {
  switch (p) {
    case bitpq::precision::exact: return "f32";
    case bitpq::precision::lut16: return "lut16";
    case bitpq::precision::int8: return "int8";
  }
  return "";
}

/// What a call of the layer does.
struct work {
  std::size_t multiply_adds;     ///< of the dense layer
  std::size_t code_bytes;        ///< codes and codebooks as held
  std::size_t activation_bytes;  ///< inputs and outputs
  std::size_t dense_bytes;       ///< the weights, had they been decoded
};

inline work work_of(const bitpq::prepacked_matrix<float>& w, std::size_t columns, std::size_t inputs,
                    std::size_t outputs) {
  const std::size_t weights = w.rows() * w.cols();
  return {weights * columns, w.bytes(), (inputs + outputs) * sizeof(float), weights * sizeof(float)};
}

/// One side of a row: the call, and its error after it has run.
struct side {
  std::function<void()> call;
  std::function<double()> error;
  double bound;
  std::string label{};  ///< which way it takes
};

inline bool verified(benchmark::State& state, const side& s, const char* who) {
  s.call();
  const double error = s.error();
  if (error <= s.bound) return true;
  state.SkipWithError((std::string(who) + " is off by " + std::to_string(error)).c_str());
  return false;
}

/// Verifies both sides, samples them in turn and sets the counters.
inline void compare(benchmark::State& state, const work& w, const side& peer, const side& ours) {
  if (!verified(state, peer, "the peer") || !verified(state, ours, "bitpq")) return;
  state.counters["rel_error"] = ours.error();
  const std::size_t scratch = peak_allocation(ours.call);
  interleaved ways;
  const std::size_t theirs = ways.add(peer.call), own = ways.add(ours.call);
  ways.run(state, own);
  const double flops = 2 * static_cast<double>(w.multiply_adds), time = ways.median(own);
  const double moved = static_cast<double>(w.code_bytes + w.activation_bytes);
  state.counters["ratio"] = ways.ratio(theirs, own, 0.5);
  state.counters["ratio_p10"] = ways.ratio(theirs, own, 0.1);
  state.counters["gflops"] = flops / time / 1e9;
  state.counters["peer_gflops"] = flops / ways.median(theirs) / 1e9;
  state.counters["of_roof"] = std::max(flops / roofs().flops, moved / roofs().bandwidth) / time;
  state.counters["peak_bytes"] = moved + static_cast<double>(scratch);
  state.counters["dense_bytes"] = static_cast<double>(w.dense_bytes);
  state.SetLabel(ours.label + (ours.label.empty() || peer.label.empty() ? "" : " | ") + peer.label);
}

/// The fastest of a peer's variants, each called a few times.
inline side fastest(const std::vector<side>& variants) {
  std::size_t best = 0;
  double least = quick_look(variants[0].call);
  for (std::size_t i = 1; i < variants.size(); ++i)
    if (const double time = quick_look(variants[i].call); time < least) least = time, best = i;
  return variants[best];
}

template <class F>
void add_row(const std::string& name, const F& f) {
  benchmark::RegisterBenchmark(name.c_str(), f)
      ->UseManualTime()
      ->Iterations(interleaved::rounds)
      ->Unit(benchmark::kMicrosecond);
}

}  // namespace bench
