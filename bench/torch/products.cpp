// SPDX-License-Identifier: Apache-2.0

// The three products of a training step, layer by layer of ResNet-18 at 128 x 128: on codes, with what a step adds
// (prepacking), against decoding and LibTorch's kernels. What training_plan's constants were taken from. Rows:
//   torch/products/<in>x<out>x<kernel>s<stride>/<image>/d<block size>/k<codewords>   `forward`, `inputs`, `codewords` =
//   dense / codes, above 1 where codes pay; `plan` = 1 for the forward product on codes + 2 for the codewords'

#include "support/interleaved.hpp"
#include "torch/resnet18.hpp"

namespace {

namespace pq = bitpq::torch;

template <class Result>
void keep(Result&& result) {
  benchmark::DoNotOptimize(result);
}

struct shape {
  std::size_t in, out, kernel, stride, image;
};

void run(benchmark::State& state, const shape& s, std::size_t block_size, std::size_t codewords) {
  at::set_num_threads(BENCH_THREADS);
  const bitpq::layer_geometry g = bitpq::layer_geometry::conv2d(
      s.out, s.in, {s.kernel, s.kernel}, {.stride = {s.stride, s.stride}, .padding = {s.kernel / 2, s.kernel / 2}});
  const pq::coded_weights w(g, bench::random_codes({g.rows(), g.cols(), block_size, codewords}));
  const auto image = static_cast<std::int64_t>(s.image);
  const at::Tensor x = at::randn({32, static_cast<std::int64_t>(s.in), image, image});
  const at::Tensor dy = at::randn_like(pq::detail::empty_output(g, x)), weight = w.decoded();
  bench::interleaved ways;
  const std::size_t forward_dense = ways.add([&] { keep(pq::detail::forward_dense(g, w.decoded(), x, at::Tensor())); });
  const std::size_t forward_codes =
      ways.add([&] { keep(pq::detail::forward_on_codes(pq::coded_weights(g, w.codes()), x, at::Tensor())); });
  const std::size_t inputs_dense = ways.add([&] { keep(pq::detail::dense_gradients(g, weight, x, dy, true, false)); });
  const std::size_t inputs_codes = ways.add([&] { keep(pq::detail::inputs_on_codes(w, x, dy)); });
  const std::size_t codewords_dense = ways.add([&] {
    const at::Tensor dw = pq::detail::dense_gradients(g, weight, x, dy, false, true).second.contiguous();
    keep(bitpq::codeword_gradient(w.codes(), pq::detail::weight_matrix(dw)));
  });
  const std::size_t codewords_codes = ways.add([&] { keep(pq::detail::codewords_fused(w, x, dy)); });
  ways.run(state, forward_codes);
  state.counters["forward"] = ways.ratio(forward_dense, forward_codes, 0.5);
  state.counters["inputs"] = ways.ratio(inputs_dense, inputs_codes, 0.5);
  state.counters["codewords"] = ways.ratio(codewords_dense, codewords_codes, 0.5);
  state.counters["forward_ms"] = 1e3 * ways.median(forward_dense);
  state.counters["codewords_ms"] = 1e3 * ways.median(codewords_dense);
  const pq::training_plan plan = pq::detail::plan_for(w, x, pq::arithmetic::automatic);
  state.counters["plan"] = (plan.forward_on_codes ? 1 : 0) + (plan.codewords_on_codes ? 2 : 0);
}

const int registered = [] {
  const std::vector<shape> shapes = {{64, 64, 3, 1, 32},   {64, 128, 3, 2, 32}, {64, 128, 1, 2, 32},
                                     {128, 128, 3, 1, 16}, {256, 256, 3, 1, 8}, {512, 512, 3, 1, 4}};
  for (const auto& [block_size, codewords] : {std::pair<std::size_t, std::size_t>{9, 256}, {9, 64}, {36, 256}})
    for (const shape& s : shapes) {
      const std::size_t d = s.kernel == 1 ? 4 : block_size, k = codewords;
      const std::string name = "torch/products/" + std::to_string(s.in) + "x" + std::to_string(s.out) + "x" +
                               std::to_string(s.kernel) + "s" + std::to_string(s.stride) + "/" +
                               std::to_string(s.image) + "/d" + std::to_string(d) + "/k" + std::to_string(k);
      benchmark::RegisterBenchmark(name.c_str(), [s, d, k](benchmark::State& state) { run(state, s, d, k); })
          ->UseManualTime()
          ->Iterations(bench::interleaved::rounds)
          ->Unit(benchmark::kMicrosecond);
    }
  return 0;
}();

}  // namespace
