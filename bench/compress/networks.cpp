// SPDX-License-Identifier: Apache-2.0

// How long compression takes when the statistics are there, on two cores. Weights and second moments are made up, in
// the shapes of real networks; what the figures depend on are the shapes. Rows:
//   compress/<network>/<preset>   all compressed layers of a network, at small blocks and up to 256 codewords;
//                                 `peak_bytes` = most held at once, weights and second moments of the layer included

#include "support/networks.hpp"
#include "support/allocations.hpp"
#include "support/random_layer.hpp"
#include "support/thread_pool.hpp"

#include <bitpq/core/random.hpp>
#include <bitpq/pq.hpp>

#include <benchmark/benchmark.h>

#include <cmath>

namespace {

/// Of inputs that are alike where their places are near, each on a scale of its own, and not zero on average.
bitpq::importance made_up_moments(const bitpq::layer_geometry& g) {
  const std::size_t n = g.cols();
  const bitpq::random_stream random(n);
  std::vector<double> scales(n), near(n);
  for (std::size_t i = 0; i < n; ++i) {
    scales[i] = std::exp(random.normal(i) / 2);
    near[i] = std::pow(0.95, static_cast<double>(i));
  }
  bitpq::aligned_buffer<double> h(g.groups() * n * n);
  for (std::size_t group = 0; group < g.groups(); ++group)
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < n; ++j)
        h[(group * n + i) * n + j] = scales[i] * scales[j] * (0.3 + near[i > j ? i - j : j - i]);
  return {g.groups(), n, std::move(h)};
}

void compress_all(benchmark::State& state, const bench::network& net, bitpq::preset preset) {
  std::size_t peak = 0, weights = 0, layers = 0;
  double error = 0;
  for (auto _ : state) {
    double seconds = 0;
    for (const bench::layer& l : net.layers) {
      if (!l.compressed) continue;
      const bitpq::importance h = made_up_moments(l.geometry);
      bitpq::pq_params params = bitpq::params_of(preset, l.geometry);
      params.block_size = l.small_block;
      for (std::size_t copy = 0; copy < l.copies; ++copy) {
        const std::vector<float> w = bench::gaussian(l.geometry.rows() * l.geometry.cols(), ++layers);
        const std::size_t given = w.size() * sizeof(float) + h.groups() * h.cols() * h.cols() * sizeof(double);
        const std::size_t taken = bench::peak_allocation([&] {
          const bitpq::layer_report report =
              bitpq::compress<float>(l.geometry, {w.data(), l.geometry.rows(), l.geometry.cols()}, &h, params,
                                     bench::all_threads())
                  .report;
          seconds += report.seconds;
          error += *report.output_error;
        });
        peak = std::max(peak, taken + given);
        weights += w.size();
      }
    }
    state.SetIterationTime(seconds);
  }
  state.counters["layers"] = static_cast<double>(layers);
  state.counters["weights"] = static_cast<double>(weights);
  state.counters["peak_bytes"] = static_cast<double>(peak);
  state.counters["mean_output_error"] = error / static_cast<double>(layers);
}

/// As in a transformer of 7e9 parameters, named by inputs and outputs.
bench::network large_linear(std::size_t in, std::size_t out) {
  bench::network_builder net("linear" + std::to_string(in) + "x" + std::to_string(out));
  net.linear("linear", in, out, 1, 8);
  return net.take();
}

void add_row(const bench::network& net, bitpq::preset preset) {
  const std::string name = "compress/" + net.name + "/" + std::string(to_string(preset));
  benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) { compress_all(state, net, preset); })
      ->UseManualTime()
      ->Iterations(1)
      ->Unit(benchmark::kSecond);
}

const int registered = [] {
  for (const bench::network& net : {bench::resnet18(), bench::resnet50()})
    for (const bitpq::preset p : bitpq::all_presets) add_row(net, p);
  for (const bench::network& net : {large_linear(4096, 11008), large_linear(11008, 4096)})
    for (const bitpq::preset p : {bitpq::preset::paper, bitpq::preset::fast}) add_row(net, p);
  return 0;
}();

}  // namespace
