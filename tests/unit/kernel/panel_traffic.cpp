// SPDX-License-Identifier: Apache-2.0

#include "support/kernels.hpp"
#include "support/random_data.hpp"

using bitpq::kernel_table;
using bitpq::panel_traffic;
using bitpq::store_run;
using bitpq::store_target;
using namespace bitpq_test;

namespace {

/// What is stored: rows, and columns in runs that end at `ends`, outputs `step` apart.
struct storing {
  std::size_t rows;
  std::vector<std::size_t> ends;
  std::ptrdiff_t step = 1;
  bool scaled = false, residual = false, relu = false, accumulate = false;
};

/// Weights, a packed panel and an epilogue, and the outputs of some product.
template <class T>
struct product_of_panel {
  static constexpr std::size_t depth = 29, d = 4, words = 19;
  const kernel_table<T>& k;
  const storing& s;
  std::size_t columns = s.ends.back(), ld = k.panel + 1, spread = columns * static_cast<std::size_t>(s.step) + 3;
  std::vector<T> weights = random_values<T>((std::max)(s.rows * depth, words*d), 1),
                 b = random_values<T>(depth * k.panel, 2), bias = random_values<T>(s.rows, 3),
                 scale = random_values<T>(s.rows, 4), residual = random_values<T>(s.rows * spread, 5),
                 before = random_values<T>(s.rows * ld + k.panel, 6), next = random_values<T>(depth * columns, 7);
  std::vector<std::uint8_t> codes = random_codes<std::uint8_t>((depth + d - 1) / d * s.rows, words, 8);

  /// Rows [0, rows) to y: product(sums, traffic) adds to sums, and stores what the traffic says.
  template <class Product>
  std::vector<T> outputs(bool at_once, const Product& product) const {
    std::vector<T> y(s.rows * spread, T{12345}), sums = before;
    std::vector<store_run<T>> runs;
    const auto row = static_cast<std::ptrdiff_t>(spread);
    for (std::size_t i = 0, first = 0; i < s.ends.size(); first = s.ends[i++]) {
      const std::ptrdiff_t at = static_cast<std::ptrdiff_t>(first) * s.step;
      runs.push_back(
          {first, s.ends[i] - first,
           store_target<T>{y.data() + at, row, s.step, bias.data(), s.residual ? residual.data() + at : nullptr, row,
                           s.step, s.relu, s.scaled ? scale.data() : nullptr}});
    }
    if (at_once) {
      product(sums.data(), {runs.data(), runs.size(), next.data(), static_cast<std::ptrdiff_t>(columns), columns});
    } else {
      product(sums.data(), {});
      for (const store_run<T>& run : runs) k.store_rows(sums.data() + run.first, ld, s.rows, run.length, run.to);
    }
    return y;
  }

  void check() const {
    const auto stride = static_cast<std::ptrdiff_t>(ld);
    const auto dense = [&](T* sums, const panel_traffic<T>& traffic) {
      k.gemm_traffic(weights.data(), depth, b.data(), k.panel, sums, stride, s.rows, columns, depth, s.accumulate,
                     traffic);
    };
    const auto coded = [&](T* sums, const panel_traffic<T>& traffic) {
      k.u8.code_traffic(weights.data(), d, codes.data(), s.rows, b.data(), k.panel, sums, stride, s.rows, columns,
                        depth, d, s.accumulate, traffic);
    };
    INFO(to_string(k.target) << ": " << s.rows << " rows, " << columns << " columns in " << s.ends.size()
                             << " runs, step " << s.step << (s.accumulate ? ", accumulating" : ""));
    REQUIRE(outputs(true, dense) == outputs(false, dense));
    REQUIRE(outputs(true, coded) == outputs(false, coded));
  }
};

}  // namespace

TEMPLATE_TEST_CASE("outputs stored by the product are those of store_rows, bit for bit", "", float, double) {
  for_each_isa<TestType>([](const kernel_table<TestType>& k) {
    const auto check = [&](const storing& s) { product_of_panel<TestType>{k, s}.check(); };
    for (std::size_t columns = 1; columns <= k.panel; ++columns)
      for (const std::size_t rows : {7U, 17U}) check({rows, {columns}});
    for (std::size_t rows = 1; rows <= 20; ++rows)
      for (const bool flag : {false, true}) {
        check({rows, {k.panel}, 1, flag, false, true, false});
        check({rows, {k.panel}, 1, flag, true, flag, true});
        check({rows, {k.panel - 1}, 1, false, flag, true, flag});
      }
    check({13, {1, k.panel}, 1, true, true, true, false});
    check({13, {k.panel}, 2, true, true, true, true});
  });
}
