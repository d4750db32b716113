// SPDX-License-Identifier: Apache-2.0

// Layers of real networks at their real sizes, one image, one thread: codes on the path that the plan takes, against
// the same layer dense in the same loops. Rows: layer/<network>/<layer>/d<block size>/k<codewords>.

#include "support/paired.hpp"
#include "support/random_layer.hpp"

#include <bitpq/inference.hpp>

#include <string>

namespace {

using bitpq::layer_geometry;

struct shape {
  const char* name;
  layer_geometry geometry;
  std::size_t size;        ///< height and width of the input
  std::size_t block_size;  ///< the paper's small blocks
};

layer_geometry conv(std::size_t in, std::size_t out, std::size_t kernel, std::size_t stride) {
  return layer_geometry::conv2d(out, in, {kernel, kernel}, {{stride, stride}, {kernel / 2, kernel / 2}});
}

std::vector<shape> shapes() {
  return {
      {"resnet18/layer1.0.conv1", conv(64, 64, 3, 1), 56, 9},
      {"resnet18/layer2.0.conv1", conv(64, 128, 3, 2), 56, 9},
      {"resnet18/layer2.0.conv2", conv(128, 128, 3, 1), 28, 9},
      {"resnet18/layer3.0.conv1", conv(128, 256, 3, 2), 28, 9},
      {"resnet18/layer3.0.conv2", conv(256, 256, 3, 1), 14, 9},
      {"resnet18/layer4.0.conv1", conv(256, 512, 3, 2), 14, 9},
      {"resnet18/layer4.0.conv2", conv(512, 512, 3, 1), 7, 9},
      {"resnet18/fc", layer_geometry::linear(1000, 512), 1, 4},
      {"resnet50/layer1.0.conv3", conv(64, 256, 1, 1), 56, 4},
      {"resnet50/layer2.0.conv3", conv(128, 512, 1, 1), 28, 4},
      {"resnet50/layer3.0.conv3", conv(256, 1024, 1, 1), 14, 4},
      {"resnet50/layer4.0.conv3", conv(512, 2048, 1, 1), 7, 4},
      {"resnet50/layer4.1.conv1", conv(2048, 512, 1, 1), 7, 4},
      {"resnet50/layer4.0.downsample.0", conv(1024, 2048, 1, 2), 14, 4},
      {"llm/4096x4096", layer_geometry::linear(4096, 4096), 1, 8},
  };
}

void run(benchmark::State& state, const shape& s) {
  const layer_geometry& g = s.geometry;
  const bitpq::pq_matrix<float> codes = bench::random_codes(g.rows(), g.cols(), s.block_size, 256);
  const bitpq::prepacked_matrix<float> prepacked = bitpq::prepack(codes);
  const std::vector<float> dense = bench::decoded(codes);
  const std::vector<float> input = bench::gaussian(g.in_channels * s.size * s.size, 4);
  const bitpq::extent2 out = g.output_size({s.size, s.size});
  std::vector<float> y(g.out_channels * out.h * out.w), reference(y.size());
  const bitpq::nchw_view<const float> x(input.data(), 1, g.in_channels, s.size, s.size);
  const auto map = [&](std::vector<float>& v) {
    return bitpq::nchw_view<float>(v.data(), 1, g.out_channels, out.h, out.w);
  };
  const auto on_codes = [&] {
    if (g.type == layer_geometry::kind::linear)
      bitpq::gemm(prepacked, {input.data(), g.in_channels, 1}, {y.data(), g.out_channels, 1});
    else
      bitpq::conv2d(prepacked, g, x, map(y));
  };
  const auto on_dense = [&] {
    if (g.type == layer_geometry::kind::linear)
      bitpq::dense_gemm<float>({dense.data(), g.rows(), g.cols()}, {input.data(), g.in_channels, 1},
                               {reference.data(), g.out_channels, 1});
    else
      bitpq::dense_conv2d<float>({dense.data(), g.rows(), g.cols()}, g, x, map(reference));
  };
  on_codes();
  on_dense();
  const double error = bench::relative_error(y, reference);
  if (!(error <= 1e-5)) {
    state.SkipWithError("codes and dense weights disagree");
    return;
  }
  bench::paired(state, on_dense, on_codes);
  state.counters["rel_error"] = error;
}

const int registered = [] {
  for (const shape& s : shapes())
    benchmark::RegisterBenchmark(
        ("layer/" + std::string(s.name) + "/d" + std::to_string(s.block_size) + "/k256").c_str(), run, s)
        ->UseManualTime()
        ->Iterations(21)
        ->Unit(benchmark::kMicrosecond);
  return 0;
}();

}  // namespace
