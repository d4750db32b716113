// SPDX-License-Identifier: Apache-2.0

// Every layer of real networks at its real size, one image, one thread. Rows:
//   layer/<network>/<layer>/d<block size>/k<codewords>   codes against the same layer dense in bitpq's own loops
//   plan/<network>/<layer>/d<block size>/k<codewords>    the plan's choice against every path forced
//   layer/aggregate/<network or all>/<256 or few>        geometric mean of the ratios of the rows measured above
//   plan/aggregate/max_regret                            the worst of the plan rows
//   stages/<network>/<layer>/d<block size>/k<codewords>  two stages against one, of a few layers: time by time

#include "support/interleaved.hpp"
#include "support/layer_fixture.hpp"
#include "support/paths.hpp"

#include <map>
#include <memory>

namespace {

using bench::interleaved;
using bench::layer;
using bench::layer_fixture;
using bench::setting;

constexpr double bound = 1e-5;  // codes and dense weights, both in float

/// What the aggregates are made of, filled row by row.
struct measurements {
  std::map<std::string, std::vector<double>> ratios;  ///< by aggregate
  std::vector<std::pair<double, std::string>> regrets;
};
measurements& measured() {
  static measurements all;
  return all;
}

/// The two rows of a layer follow one another and share its data.
layer_fixture& fixture(const std::string& key, const layer& l, setting s) {
  static std::string held;
  static std::unique_ptr<layer_fixture> last;
  if (held != key) {
    last.reset();
    last = std::make_unique<layer_fixture>(l, s);
    held = key;
  }
  return *last;
}

void against_dense(benchmark::State& state, layer_fixture& f, const std::string& network, const char* kind) {
  f.on_codes();
  state.counters["rel_error"] = f.error();
  if (!(f.error() <= bound)) return state.SkipWithError("codes and dense weights disagree");
  interleaved ways;
  const std::size_t dense = ways.add([&f] { f.on_dense(); }), codes = ways.add([&f] { f.on_codes(); });
  ways.run(state, codes);
  const double ratio = ways.ratio(dense, codes, 0.5);
  state.counters["ratio"] = ratio;
  state.counters["ratio_p10"] = ways.ratio(dense, codes, 0.1);
  for (const std::string& group : {network, std::string("all")}) measured().ratios[group + "/" + kind].push_back(ratio);
}

/// What the plan chooses.
bitpq::gemm_path path_of(const layer_fixture& f) {
  return bench::chosen_path(f.codes(), f.shape().geometry, {f.shape().size, f.shape().size},
                            f.shape().output_columns());
}

/// Whether the layer has the path and computes the same on it.
bool usable(layer_fixture& f, bitpq::gemm_path path) {
  try {
    f.on_codes(path);
    return f.error() <= bound;
  } catch (const bitpq::error&) {
    return false;
  }
}

void against_forced(benchmark::State& state, layer_fixture& f, const std::string& name) {
  std::vector<std::pair<double, bitpq::gemm_path>> paths;
  for (const bitpq::gemm_path path : bench::all_paths())
    if (usable(f, path)) paths.emplace_back(bench::quick_look([&] { f.on_codes(path); }), path);
  if (paths.empty()) return state.SkipWithError("no path computes this layer");
  const double least = std::min_element(paths.begin(), paths.end())->first;
  interleaved ways;
  const std::size_t automatic = ways.add([&f] { f.on_codes(); });
  std::vector<std::pair<std::size_t, bitpq::gemm_path>> forced;
  for (const auto& [time, path] : paths)
    if (time < 2 * least) forced.emplace_back(ways.add([&f, p = path] { f.on_codes(p); }), path);
  ways.run(state, automatic);
  const auto faster = [&](const auto& a, const auto& b) { return ways.median(a.first) < ways.median(b.first); };
  const auto best = *std::min_element(forced.begin(), forced.end(), faster);
  const double regret = ways.ratio(automatic, best.first, 0.5);
  state.counters["regret"] = regret;
  measured().regrets.emplace_back(regret, name);
  const auto chosen = path_of(f);
  state.SetLabel(to_string(chosen) +
                 (chosen == best.second ? std::string() : std::string(", best ") + to_string(best.second)));
}

/// Both on the path that each plan chooses.
void two_stages(benchmark::State& state, const layer& l, setting s) {
  layer_fixture one(l, s), two(l, {s.block_size, s.codewords, 2});
  two.on_codes();
  state.counters["rel_error"] = two.error();
  if (!(two.error() <= bound)) return state.SkipWithError("codes and dense weights disagree");
  interleaved ways;
  const std::size_t single = ways.add([&one] { one.on_codes(); }), both = ways.add([&two] { two.on_codes(); });
  ways.run(state, both);
  state.counters["ratio"] = ways.ratio(both, single, 0.5);
  state.SetLabel(to_string(path_of(two)) + std::string(", one: ") + to_string(path_of(one)));
}

void mean_ratio(benchmark::State& state, const std::string& group) {
  const std::vector<double>& ratios = measured().ratios[group];
  if (ratios.empty()) return state.SkipWithError("none of its rows was measured");
  double logarithms = 0;
  for (const double r : ratios) logarithms += std::log(r);
  while (state.KeepRunning()) state.SetIterationTime(1e-9);  // a row needs a time; this one has none
  state.counters["ratio"] = std::exp(logarithms / static_cast<double>(ratios.size()));
  state.counters["least"] = bench::quantile(ratios, 0);
  state.counters["rows"] = static_cast<double>(ratios.size());
}

void max_regret(benchmark::State& state) {
  auto regrets = measured().regrets;
  if (regrets.empty()) return state.SkipWithError("no plan row was measured");
  std::sort(regrets.begin(), regrets.end());
  while (state.KeepRunning()) state.SetIterationTime(1e-9);
  state.counters["regret"] = regrets.back().first;
  state.counters["above_1.1"] =
      static_cast<double>(std::count_if(regrets.begin(), regrets.end(), [](const auto& r) { return r.first > 1.1; }));
  state.counters["rows"] = static_cast<double>(regrets.size());
  state.SetLabel(regrets.back().second);
}

template <class F>
void add_row(const std::string& name, int iterations, const F& f) {
  benchmark::RegisterBenchmark(name.c_str(), f)->UseManualTime()->Iterations(iterations)->Unit(benchmark::kMicrosecond);
}

void add_rows(const std::string& network, const layer& l, setting s, const char* kind) {
  const std::string name =
      network + "/" + l.name + "/d" + std::to_string(s.block_size) + "/k" + std::to_string(s.codewords);
  add_row("layer/" + name, interleaved::rounds,
          [=](benchmark::State& state) { against_dense(state, fixture(name, l, s), network, kind); });
  add_row("plan/" + name, interleaved::rounds,
          [=](benchmark::State& state) { against_forced(state, fixture(name, l, s), name); });
}

/// Layers of each kind: 3 x 3 of stride 1 and 2, 1 x 1, linear for few and for many columns.
void add_stages_rows(const bench::network& net) {
  for (const layer& l : net.layers)
    for (const char* name : {"layer2.0.conv1", "layer2.0.conv2", "layer3.1.conv1", "4096x4096x1", "4096x4096x128"}) {
      if (l.name != name) continue;
      for (const std::size_t codewords : {std::size_t{256}, l.few_codewords()})
        add_row(
            "stages/" + net.name + "/" + name + "/d" + std::to_string(l.small_block) + "/k" + std::to_string(codewords),
            interleaved::rounds, [=](benchmark::State& state) {
              two_stages(state, l, {l.small_block, codewords});
            });
    }
}

const int registered = [] {
  const std::vector<bench::network> networks{bench::resnet18(), bench::resnet50(), bench::squeezenet(),
                                             bench::mobilenet_v2(), bench::language_model()};
  for (const bench::network& net : networks)
    for (const layer& l : net.layers) {
      add_rows(net.name, l, {l.small_block, 256}, "k256");
      if (l.large_block != l.small_block) add_rows(net.name, l, {l.large_block, 256}, "k256");
      add_rows(net.name, l, {l.small_block, l.few_codewords()}, "few");
    }
  for (const char* kind : {"/k256", "/few"}) {
    for (const bench::network& net : networks)
      add_row("layer/aggregate/" + net.name + kind, 1,
              [group = net.name + kind](benchmark::State& state) { mean_ratio(state, group); });
    add_row(std::string("layer/aggregate/all") + kind, 1,
            [group = std::string("all") + kind](benchmark::State& state) { mean_ratio(state, group); });
  }
  add_row("plan/aggregate/max_regret", 1, max_regret);
  for (const bench::network& net : networks) add_stages_rows(net);
  return 0;
}();

}  // namespace
