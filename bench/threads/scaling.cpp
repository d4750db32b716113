// SPDX-License-Identifier: Apache-2.0

// What a second thread brings: layers on the path that the plan chooses, on one thread and on two in turn. Rows:
//   threads/<network>/<layer>/d<block size>/k<codewords>   `speedup` = time on one thread / time on two
//   threads/aggregate/<long or short>                      geometric mean over layers of a millisecond and more on one
//                                                          thread, and over the rest

#include "support/interleaved.hpp"
#include "support/layer_fixture.hpp"
#include "support/paths.hpp"
#include "support/thread_pool.hpp"

namespace {

using bench::interleaved;
using bench::layer;
using bench::layer_fixture;
using bench::setting;

constexpr double long_layer = 1e-3;  // seconds

/// Filled row by row: speedups of long layers and of short ones.
std::vector<double>& measured(bool of_long_layers) {
  static std::vector<double> speedups[2];
  return speedups[of_long_layers ? 1 : 0];
}

void one_against_two(benchmark::State& state, const layer& l, setting s) {
  layer_fixture f(l, s);
  const auto on_one = [&f] { f.on_codes(); };
  const auto on_two = [&f] { f.on_codes(bitpq::gemm_path::automatic, bench::all_threads()); };
  on_one();
  const std::vector<float> expected = f.output();
  on_two();
  if (f.output() != expected) return state.SkipWithError("one thread and two disagree");
  interleaved ways;
  const std::size_t one = ways.add(on_one), two = ways.add(on_two);
  ways.run(state, two);
  const double speedup = ways.ratio(one, two, 0.5);
  state.counters["speedup"] = speedup;
  state.counters["speedup_p10"] = ways.ratio(one, two, 0.1);
  state.counters["ms_on_one"] = 1e3 * ways.median(one);
  measured(ways.median(one) >= long_layer).push_back(speedup);
  state.SetLabel(to_string(bench::chosen_path(f.codes(), l.geometry, {l.size, l.size}, l.columns)));
}

void mean_speedup(benchmark::State& state, bool of_long_layers) {
  const std::vector<double>& speedups = measured(of_long_layers);
  if (speedups.empty()) return state.SkipWithError("none of its rows was measured");
  double logarithms = 0;
  for (const double s : speedups) logarithms += std::log(s);
  while (state.KeepRunning()) state.SetIterationTime(1e-9);  // a row needs a time; this one has none
  state.counters["speedup"] = std::exp(logarithms / static_cast<double>(speedups.size()));
  state.counters["least"] = bench::quantile(speedups, 0);
  state.counters["rows"] = static_cast<double>(speedups.size());
}

template <class F>
void add_row(const std::string& name, int iterations, const F& f) {
  benchmark::RegisterBenchmark(name.c_str(), f)->UseManualTime()->Iterations(iterations)->Unit(benchmark::kMicrosecond);
}

void add_layer(const std::string& network, const layer& l, setting s) {
  add_row(
      "threads/" + network + "/" + l.name + "/d" + std::to_string(s.block_size) + "/k" + std::to_string(s.codewords),
      interleaved::rounds, [=](benchmark::State& state) { one_against_two(state, l, s); });
}

const int registered = [] {
  for (const bench::network& net : {bench::resnet18(), bench::resnet50(), bench::language_model()})
    for (const layer& l : net.layers) {
      if (!l.compressed) continue;
      add_layer(net.name, l, {l.small_block, 256});
      if (l.large_block != l.small_block) add_layer(net.name, l, {l.large_block, 256});
      add_layer(net.name, l, {l.small_block, l.few_codewords()});
    }
  add_row("threads/aggregate/long", 1, [](benchmark::State& state) { mean_speedup(state, true); });
  add_row("threads/aggregate/short", 1, [](benchmark::State& state) { mean_speedup(state, false); });
  return 0;
}();

}  // namespace
