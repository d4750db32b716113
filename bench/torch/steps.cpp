// SPDX-License-Identifier: Apache-2.0

// What a training step costs when the layers are compressed: forward, backward and the optimiser, against the dense
// network in the same LibTorch, in turn. Rows:
//   torch/step/resnet18/n<batch>/<image>/d<block size>/k<codewords>   `ratio` = compressed / dense, `ratio_p10`, `_p90`

#include "support/interleaved.hpp"
#include "torch/resnet18.hpp"

#include <torch/optim/sgd.h>

namespace {

constexpr int rounds = 9;

template <class Net>
class trained {
 public:
  explicit trained(Net& net, const at::Tensor& x)
      : net_(net),
        x_(x),
        wanted_(at::randn({x.size(0), 1000})),
        optimizer_(net.parameters(), torch::optim::SGDOptions(1e-3).momentum(0.9)) {}

  void step() {
    optimizer_.zero_grad();
    (net_.forward(x_) - wanted_).square().mean().backward();
    optimizer_.step();
  }

 private:
  Net& net_;
  at::Tensor x_, wanted_;
  torch::optim::SGD optimizer_;
};

void run(benchmark::State& state, std::int64_t batch, std::int64_t image, std::size_t block_size,
         std::size_t codewords) {
  at::set_num_threads(BENCH_THREADS);
  torch::manual_seed(1);
  bench::dense_resnet18 dense;
  bench::coded_resnet18 coded;
  bench::compress(coded, block_size, codewords);
  const at::Tensor x = at::randn({batch, 3, image, image});
  trained<bench::dense_resnet18> theirs(dense, x);
  trained<bench::coded_resnet18> ours(coded, x);
  bench::interleaved ways;
  const std::size_t one = ways.add([&] { theirs.step(); }), other = ways.add([&] { ours.step(); });
  ways.run(state, other);
  state.counters["ratio"] = ways.ratio(other, one, 0.5);
  state.counters["ratio_p10"] = ways.ratio(other, one, 0.1);
  state.counters["ratio_p90"] = ways.ratio(other, one, 0.9);
  state.counters["dense_ms"] = 1e3 * ways.median(one);
}

const int registered = [] {
  for (const auto& [block_size, codewords] : {std::pair<std::size_t, std::size_t>{9, 256}, {9, 64}, {36, 256}}) {
    const std::string name =
        "torch/step/resnet18/n32/128/d" + std::to_string(block_size) + "/k" + std::to_string(codewords);
    const std::size_t d = block_size, k = codewords;
    benchmark::RegisterBenchmark(name.c_str(), [d, k](benchmark::State& state) { run(state, 32, 128, d, k); })
        ->UseManualTime()
        ->Iterations(rounds)
        ->Unit(benchmark::kMillisecond);
  }
  return 0;
}();

}  // namespace
