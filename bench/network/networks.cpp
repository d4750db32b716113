// SPDX-License-Identifier: Apache-2.0

// Whole networks on codes against the same ones dense on oneDNN, both on one thread, in turn.
// Rows: network/onednn/<network>-<setting>/batch<n>[/int8][/cold]

#include "engine/checkpoint.hpp"
#include "engine/onednn_network.hpp"
#include "engine/session.hpp"
#include "network/generated.hpp"
#include "peers/comparison.hpp"

#include <omp.h>

#include <cstdlib>
#include <memory>
#include <optional>

namespace {

using bench::network_setting;
using bitpq::precision;

struct row {
  network_setting setting;
  std::size_t batch;
  bitpq::precision ours;
  bool cold;
};

double relative_error(std::span<const float> got, std::span<const float> want) {
  double off = 0, all = 0;
  for (std::size_t i = 0; i < want.size(); ++i) {
    off += std::pow(static_cast<double>(got[i]) - static_cast<double>(want[i]), 2);
    all += std::pow(static_cast<double>(want[i]), 2);
  }
  return std::sqrt(off / all);
}

/// Reads more than the last cache holds, so that what is called next finds nothing of its own there.
class cache_sweep {
 public:
  void operator()() {
    float sum = 0;
    for (std::size_t i = 0; i < memory_.size(); i += 16) sum += memory_[i];
    benchmark::DoNotOptimize(sum);
  }

 private:
  std::vector<float> memory_ = std::vector<float>(3 * bench::last_cache_size() / sizeof(float), 1.0F);
};

/// One call of each in turn. Before each, one image: a call that is not timed, which leaves caches as a network does
/// that runs again and again; cold: a sweep; a batch, which is larger than the caches: nothing.
void compare_in_turn(benchmark::State& state, const std::function<void()>& peer, const std::function<void()>& ours,
                     bool cold, bool one_image) {
  std::vector<double> theirs, own, ratios;
  std::unique_ptr<cache_sweep> sweep = cold ? std::make_unique<cache_sweep>() : nullptr;
  const auto timed = [&](const std::function<void()>& call) {
    if (sweep) (*sweep)();
    if (!cold && one_image) call();
    return bench::seconds(call);
  };
  while (state.KeepRunning()) {
    theirs.push_back(timed(peer));
    own.push_back(timed(ours));
    ratios.push_back(theirs.back() / own.back());
    state.SetIterationTime(own.back());
  }
  state.counters["ratio"] = bench::quantile(ratios, 0.5);
  state.counters["ratio_p10"] = bench::quantile(ratios, 0.1);
  state.counters["ms"] = 1e3 * bench::quantile(own, 0.5);
  state.counters["peer_ms"] = 1e3 * bench::quantile(theirs, 0.5);
}

/// What bitpq's side is off by at the most: rounding, over tens of layers.
double bound_of(precision p) { return p == precision::int8 ? 0.2 : 1e-3; }

/// Opens the authors' model of that setting, imported, if the folder that BITPQ_MODELS names has it.
void open_published(const network_setting& setting, std::optional<engine::checkpoint>& model) {
  const char* const folder = std::getenv("BITPQ_MODELS");
  if (folder == nullptr || setting.published.empty()) return;
  const std::filesystem::path file = std::filesystem::path(folder) / (setting.published + ".safetensors");
  if (std::filesystem::exists(file)) model.emplace(file);
}

void run(benchmark::State& state, const row& r) {
  omp_set_num_threads(1);
  const engine::graph structure = engine::resnet(r.setting.depth);
  const engine::tensor_shape input{r.batch, 3, 224, 224};
  std::optional<engine::checkpoint> published;
  open_published(r.setting, published);
  state.SetLabel(published ? "published codes" : "random codes");
  const engine::weights_source weights =
      published ? published->weights() : [&](const engine::node& step) { return generated_layer(step, r.setting); };
  engine::onednn_network peer(structure, weights, input);
  const engine::network net = engine::build_network(structure, weights, [&](const engine::node&) {
    return engine::arithmetic{&bitpq::kernels<float>(), r.ours};
  });
  engine::session ours(net, input, {});

  const std::vector<float> x = bench::gaussian(input.size(), 9);
  std::copy(x.begin(), x.end(), peer.input());
  const auto run_ours = [&] {
    std::copy(x.begin(), x.end(), ours.input().data_handle());  // the plan gives its place to others
    ours.run();
  };
  // Both start from the image: the input is copied on either side.
  const auto run_peer = [&] {
    std::copy(x.begin(), x.end(), peer.input());
    return peer.run();
  };
  const std::size_t scratch = bench::peak_allocation(run_ours);
  const engine::maps_in logits = ours.output();
  const double error = relative_error({logits.data_handle(), logits.size()}, run_peer());
  state.counters["rel_error"] = error;
  if (!(error <= bound_of(r.ours))) {
    state.SkipWithError(("bitpq is off by " + std::to_string(error)).c_str());
    return;
  }
  const bench::network_bits bits = bits_of(structure, r.setting);
  state.counters["times_smaller"] = static_cast<double>(bits.dense) / static_cast<double>(bits.compressed);
  state.counters["peak_weight_bytes"] = static_cast<double>(net.weight_bytes());
  state.counters["peer_weight_bytes"] = static_cast<double>(peer.weight_bytes());
  state.counters["activation_bytes"] = static_cast<double>(ours.activation_bytes());
  state.counters["scratch_bytes"] = static_cast<double>(scratch);
  compare_in_turn(
      state, [&] { run_peer(); }, run_ours, r.cold, r.batch == 1);
}

void add(const row& r) {
  std::string name = "network/onednn/" + r.setting.name + "/batch" + std::to_string(r.batch);
  if (r.ours == precision::int8) name += "/int8";
  if (r.cold) name += "/cold";
  bench::add_row(name, [=](benchmark::State& state) { run(state, r); });
}

const int registered = [] {
  for (const network_setting& s : {network_setting{"resnet50-large", 50, bench::large_blocks, "resnet50_large_blocks"},
                                   {"resnet50-small", 50, bench::small_blocks},
                                   {"resnet18-large", 18, bench::large_blocks, "resnet18_large_blocks"},
                                   {"resnet18-small", 18, bench::small_blocks, "resnet18_small_blocks"},
                                   {"resnet50-quick", 50, bench::quick_blocks},
                                   {"resnet18-quick", 18, bench::quick_blocks}})
    for (const bool cold : {false, true}) {
      add({s, 1, precision::exact, cold});
      add({s, 8, precision::exact, cold});
      add({s, 1, precision::int8, cold});
    }
  return 0;
}();

}  // namespace
