// SPDX-License-Identifier: Apache-2.0

// The kernels one by one, on data that fits the first two caches, for every instruction set of this machine.
// Rows: micro/<kernel>/<isa>/...; items per second are multiply-adds, or look-ups, or codes.

#include "support/random_layer.hpp"

#include <benchmark/benchmark.h>
#include <bitpq/cluster/assignment.hpp>
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
      on.code_panel(data.w.book(0), data.d, codes, data.w.code_stride(), b.data(), kernels.panel, c.data(),
                    static_cast<std::ptrdiff_t>(kernels.panel), data.rows, kernels.panel, depth, data.d, true);
    });
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(data.rows * depth * kernels.panel));
}

void dot_rows(benchmark::State& state, const table& kernels) {
  const coded_rows data(kernels);
  const std::vector<float> x = bench::gaussian(data.blocks * data.w.vectors().size(), 5);
  std::vector<float> y(data.rows);
  for (auto _ : state) {
    data.with_codes([&]<class Code>(const auto& on, const Code* codes) {
      const bitpq::dot_operands<float, Code> operands{
          data.w.vectors(), data.w.narrow_book(0), codes, data.w.code_stride(), x.data(), x.size()};
      on.dot_rows(operands, y.data(), y.size(), data.rows, data.blocks, 1);
    });
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(coded_rows::codes(state));
}

/// 1024 rows of 64 blocks of d = 8, looked up in tables: as many codewords as the instruction set takes.
struct looked_up_rows {
  static constexpr std::size_t rows = 1024, blocks = 64, d = 8;
  std::size_t codewords;
  bitpq::prepacked_matrix<float> w;
  std::vector<float> x = bench::gaussian(blocks * d, 5), sums = std::vector<float>(rows);
  bitpq::aligned_buffer<std::uint8_t> tables, exponents{blocks};
  std::vector<std::uint32_t> order;

  looked_up_rows(const table& kernels, std::size_t words)
      : codewords(words), w(bench::random_codes({rows, blocks * d, d, words, 1}), kernels), tables(blocks * 1024) {
    for (std::uint32_t j = 0; j < blocks; ++j) order.push_back(j);
  }

  template <class F>
  void run(benchmark::State& state, std::size_t items, const F& f) {
    for (auto _ : state) {
      w.with_codes(0, 0, [&]<class Code>(const Code* codes) {
        if constexpr (sizeof(Code) == 1) f(w.kernels().lookup, codes);
      });
      benchmark::ClobberMemory();
    }
    state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(items));
  }
};

void build_exact(benchmark::State& state, const table& kernels) {
  if (kernels.lookup.exact_codewords == 0) return state.SkipWithError("no such kernel");
  looked_up_rows data(kernels, kernels.lookup.exact_codewords);
  data.run(state, data.blocks, [&](const auto& on, const std::uint8_t*) {
    on.build_exact(data.w.words(0), data.codewords, data.d, data.x.data(), data.blocks, data.tables.data());
  });
}

void add_exact(benchmark::State& state, const table& kernels) {
  if (kernels.lookup.exact_codewords == 0) return state.SkipWithError("no such kernel");
  looked_up_rows data(kernels, kernels.lookup.exact_codewords);
  data.run(state, data.rows * data.blocks, [&](const auto& on, const std::uint8_t* codes) {
    on.add_exact(data.tables.data(), data.codewords, codes, data.w.code_stride(), data.sums.data(), data.rows,
                 data.blocks);
  });
}

void build_lut16(benchmark::State& state, const table& kernels) {
  if (kernels.lookup.lut16_codewords == 0) return state.SkipWithError("no such kernel");
  looked_up_rows data(kernels, kernels.lookup.lut16_codewords);
  data.run(state, data.blocks, [&](const auto& on, const std::uint8_t*) {
    on.build_lut16(data.w.words(0), data.codewords, data.d, data.x.data(), data.blocks, data.tables.data(),
                   data.exponents.data());
  });
}

void add_lut16(benchmark::State& state, const table& kernels) {
  if (kernels.lookup.lut16_codewords == 0) return state.SkipWithError("no such kernel");
  looked_up_rows data(kernels, kernels.lookup.lut16_codewords);
  data.run(state, data.rows * data.blocks, [&](const auto& on, const std::uint8_t* codes) {
    on.add_lut16(data.tables.data(), data.codewords, data.order.data(), data.blocks, std::uint8_t{127}, codes,
                 data.w.code_stride(), data.sums.data(), data.rows);
  });
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
      const auto& used = data.w.used<Code>();
      on.lut_step({data.w.book(0), data.d, data.d, 256, kernels.lut_width, kernels.lut_width},
                  {ready.data(), codes, data.w.code_stride(), sums.data(), kernels.lut_width, data.rows, blocks, true},
                  {x.data(), kernels.lut_width, next.data(), blocks * data.d, used.words(), used.lists(0)});
    });
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(data.rows * blocks * kernels.lut_width));
}

void nearest(benchmark::State& state, const table& kernels) {
  const std::size_t n = 4096, d = 9, codewords = 256;
  const std::vector<float> points = bench::gaussian(n * d, 7), words = bench::gaussian(d * codewords, 8);
  const bitpq::detail::codeword_columns<float> columns(words, d, kernels);
  bitpq::aligned_buffer<float> tile(columns.scratch());
  std::vector<std::uint16_t> codes(n);
  for (auto _ : state) {
    columns.nearest({points.data(), d}, n, tile.data(), codes.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(n * codewords * d));
}

void add_to_clusters(benchmark::State& state, const table& kernels) {
  const std::size_t n = 4096, d = 9, codewords = 256;
  const std::vector<float> points = bench::gaussian(n * d, 7), words = bench::gaussian(d * codewords, 8);
  const bitpq::random_stream random(1, 9);
  std::vector<std::uint16_t> codes(n);
  for (std::size_t p = 0; p < n; ++p) codes[p] = static_cast<std::uint16_t>(random.below(p, codewords));
  std::vector<double> sums(bitpq::sum_stride(d) * codewords), totals(codewords);
  for (auto _ : state)
    benchmark::DoNotOptimize(kernels.add_to_clusters(points.data(), d, n, d, nullptr, codes.data(), words.data(),
                                                     sums.data(), totals.data()));
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(n * d));
}

void lower_potentials(benchmark::State& state, const table& kernels) {
  const std::size_t n = 1024, d = 9;
  const std::vector<float> columns = bench::gaussian(n * d, 7), word = bench::gaussian(d, 8), weights(n, 1.0F);
  std::vector<float> values(n, 100.0F);
  for (auto _ : state)
    benchmark::DoNotOptimize(
        kernels.lower_potentials(columns.data(), n, n, d, word.data(), weights.data(), values.data()));
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(n * d));
}

/// One block position of 512 rows, d = 9, 256 codewords, 64 columns; items are the multiply-adds of the dense product.
void add_block_gradient(benchmark::State& state, const table& kernels) {
  const std::size_t rows = 512, d = 9, codewords = 256, n = 64;
  const std::vector<float> y = bench::gaussian(rows * n, 11), x = bench::gaussian(d * n, 12);
  const bitpq::random_stream random(1, 13);
  std::vector<std::vector<std::uint32_t>> named(codewords);
  for (std::uint32_t r = 0; r < rows; ++r) named[random.below(r, codewords)].push_back(r);
  std::vector<std::uint32_t> order, ends;
  std::vector<std::uint16_t> codes;
  for (std::size_t k = 0; k < codewords; ++k) {
    if (named[k].empty()) continue;
    order.insert(order.end(), named[k].begin(), named[k].end());
    ends.push_back(static_cast<std::uint32_t>(order.size()));
    codes.push_back(static_cast<std::uint16_t>(k));
  }
  bitpq::aligned_buffer<float> sums(codewords * d * kernels.lanes);
  for (auto _ : state) {
    kernels.add_block_gradient(
        {y.data(), n, order.data(), ends.data(), codes.data(), codes.size(), x.data(), n, d, n, sums.data(), d, true});
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(rows * d * n));
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
      {"gemm_panel", gemm_panel},
      {"code_panel", code_panel},
      {"dot_rows", dot_rows},
      {"lut_step", lut_step},
      {"nearest", nearest},
      {"add_to_clusters", add_to_clusters},
      {"lower_potentials", lower_potentials},
      {"add_block_gradient", add_block_gradient},
      {"store_rows", store_rows},
      {"build_exact", build_exact},
      {"add_exact", add_exact},
      {"build_lut16", build_lut16},
      {"add_lut16", add_lut16}};
  for (const auto& [name, run] : kernels)
    for (const table* usable : bitpq::usable_kernels<float>())
      benchmark::RegisterBenchmark(("micro/" + std::string(name) + "/" + bitpq::to_string(usable->target)).c_str(),
                                   [run = run, usable](benchmark::State& state) { run(state, *usable); });
  return 0;
}();

}  // namespace
