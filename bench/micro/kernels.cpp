// SPDX-License-Identifier: Apache-2.0

// The kernels one by one, on data that fits the first two caches, for every instruction set of this machine.
// Rows: micro/<kernel>/<isa>/...; items per second are multiply-adds, or look-ups, or codes.

#include "support/random_layer.hpp"

#include <benchmark/benchmark.h>
#include <bitpq/gemm/prepack.hpp>

#include <limits>
#include <string>

namespace {

using table = bitpq::kernel_table<float>;

void gemm_panel(benchmark::State& state, const table& kernels) {
  const std::size_t rows = 96, depth = 512;
  const std::vector<float> a = bench::gaussian(rows * depth, 1), b = bench::gaussian(depth * kernels.panel, 2);
  std::vector<float> c(rows * kernels.panel);
  for (auto _ : state) {
    kernels.gemm_panel(a.data(), static_cast<std::ptrdiff_t>(depth), b.data(), kernels.panel, c.data(),
                       static_cast<std::ptrdiff_t>(kernels.panel), rows, kernels.panel, depth, true);
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(rows * depth * kernels.panel));
}

/// 96 rows of 64 blocks of d = 9 from 256 codewords.
struct coded_rows {
  static constexpr std::size_t rows = 96, blocks = 64, d = 9;
  bitpq::prepacked_matrix<float> w;

  explicit coded_rows(const table& kernels) : w(bench::random_codes({rows, blocks * d, d, 256, 1}), kernels) {}

  template <class F>
  void with_codes(const F& f) const {
    w.with_codes(0, 0, [&]<class Code>(const Code* codes) { f(w.kernels().on<Code>(), codes); });
  }
  static std::int64_t codes(const benchmark::State& state) {
    return state.iterations() * static_cast<std::int64_t>(rows * blocks);
  }
};

void code_panel(benchmark::State& state, const table& kernels) {
  const coded_rows data(kernels);
  const std::size_t depth = coded_rows::blocks * coded_rows::d;
  const std::vector<float> b = bench::gaussian(depth * kernels.panel, 2);
  std::vector<float> c(data.rows * kernels.panel);
  for (auto _ : state) {
    data.with_codes([&](const auto& on, const auto* codes) {
      on.code_panel(data.w.compact_book(0), data.d, codes, data.w.code_stride(), b.data(), kernels.panel, c.data(),
                    static_cast<std::ptrdiff_t>(kernels.panel), data.rows, kernels.panel, depth, data.d, true);
    });
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(data.rows * depth * kernels.panel));
}

void dot_rows(benchmark::State& state, const table& kernels) {
  const coded_rows data(kernels);
  const std::vector<float> x = bench::gaussian(data.blocks * data.w.book_stride(), 5);
  std::vector<float> y(data.rows);
  for (auto _ : state) {
    data.with_codes([&](const auto& on, const auto* codes) {
      on.dot_rows(data.w.book(0), data.w.book_stride(), codes, data.w.code_stride(), x.data(), y.data(), data.rows,
                  data.blocks);
    });
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(coded_rows::codes(state));
}

/// Looks up in the tables of 8 blocks while it builds those of 8 others; items are look-ups.
void lut_step(benchmark::State& state, const table& kernels) {
  const coded_rows data(kernels);
  const std::size_t blocks = 8, table_size = 256 * kernels.lut_width;
  const std::vector<float> ready = bench::gaussian(blocks * table_size, 6);
  const std::vector<float> x = bench::gaussian(blocks * data.d * kernels.lut_width, 7);
  std::vector<float> sums(data.rows * kernels.lut_width), next(ready.size());
  for (auto _ : state) {
    data.with_codes([&]<class Code>(const auto& on, const Code* codes) {
      on.lut_step(data.w.compact_book(0), data.d, 256, data.d, kernels.lut_width,
                  {ready.data(), codes, data.w.code_stride(), sums.data(), kernels.lut_width, data.rows, blocks, true},
                  {x.data(), kernels.lut_width, next.data(), blocks * data.d});
    });
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(data.rows * blocks * kernels.lut_width));
}

void nearest(benchmark::State& state, const table& kernels) {
  const std::size_t n = 4096, d = 9, codewords = 256;
  const std::vector<float> points = bench::gaussian(n * d, 7), words = bench::gaussian(d * codewords, 8);
  std::vector<float> half_norms(codewords);
  for (std::size_t k = 0; k < codewords; ++k)
    for (std::size_t i = 0; i < d; ++i) half_norms[k] += words[i * codewords + k] * words[i * codewords + k] / 2;
  std::vector<std::uint16_t> codes(n);
  for (auto _ : state) {
    kernels.nearest(points.data(), n, d, words.data(), half_norms.data(), codewords, codes.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(n * codewords * d));
}

void store_rows(benchmark::State& state, const table& kernels) {
  const std::size_t n = 1024;
  const std::vector<float> sums = bench::gaussian(n, 9), residual = bench::gaussian(n, 10);
  std::vector<float> y(n);
  for (auto _ : state) {
    kernels.store_rows(sums.data(), n, 1, n, {y.data(), 0, 1, nullptr, residual.data(), 0, 1, true});
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(n));
}

const int registered = [] {
  const std::pair<const char*, void (*)(benchmark::State&, const table&)> kernels[] = {
      {"gemm_panel", gemm_panel}, {"code_panel", code_panel}, {"dot_rows", dot_rows},
      {"lut_step", lut_step},     {"nearest", nearest},       {"store_rows", store_rows}};
  for (const auto& [name, run] : kernels)
    for (const table* usable : bitpq::usable_kernels<float>())
      benchmark::RegisterBenchmark(("micro/" + std::string(name) + "/" + bitpq::to_string(usable->target)).c_str(),
                                   [run = run, usable](benchmark::State& state) { run(state, *usable); });
  return 0;
}();

}  // namespace
