// SPDX-License-Identifier: Apache-2.0

// Products with few columns: every path of every instruction set against decoding and multiplying in double precision,
// each within the bound of its precision; and the same bits however columns are split and whoever runs the tasks.

#include "support/expect_error.hpp"
#include "support/kernels.hpp"
#include "support/random_pq.hpp"
#include "support/reference.hpp"
#include "support/thread_executor.hpp"

#include <bitpq/gemm/gemm.hpp>

#include <cmath>
#include <limits>

using bitpq::code_format;
using bitpq::gemm_path;
using bitpq::kernel_table;
using bitpq::matrix_view;
using bitpq::precision;
using bitpq::prepacked_matrix;
using namespace bitpq_test;

namespace {

constexpr gemm_path column_paths[] = {gemm_path::gemv, gemm_path::gemv_lut, gemm_path::lut16};

template <class T>
bool serves(gemm_path path, const code_format& format, const kernel_table<T>& k, precision allowed = precision::lut16) {
  return path == gemm_path::automatic ||
         bitpq::why_not(path, format, {1, format.rows, 1}, bitpq::shape_of(k), allowed).empty();
}

template <class T>
struct few_columns {
  few_columns(const code_format& given, std::size_t columns, std::uint64_t seed, bool scaled = false)
      : format(given),
        n(columns),
        w(random_pq<T>(given, seed, bitpq::codeword_type::f32, scaled)),
        x(random_values<T>(given.cols * columns, seed + 1)) {}

  void expect() {
    const std::vector<double> a = as_double(decoded(w)), b = as_double(x);
    want = reference_product(a, b, format.rows, format.cols, n);
    least = norm(a) * norm(b) / std::sqrt(static_cast<double>(format.cols));
  }
  [[nodiscard]] std::vector<T> run(const prepacked_matrix<T>& packed, gemm_path path,
                                   bitpq::executor_ref exec = {}) const {
    std::vector<T> y(format.rows * n);
    gemm(packed, {x.data(), format.cols, n}, {y.data(), format.rows, n}, {}, exec, path);
    return y;
  }
  [[nodiscard]] double error(const std::vector<T>& y) const { return relative_error(as_double(y), want, least); }

  code_format format;
  std::size_t n;
  bitpq::pq_matrix<T> w;
  std::vector<T> x;
  std::vector<double> want;
  double least = 0;
};

template <class T>
double column_bound(gemm_path path) {
  if (path == gemm_path::lut16 || path == gemm_path::automatic) return 1e-4;
  return std::is_same_v<T, float> ? 1e-5 : 1e-13;
}

}  // namespace

TEMPLATE_TEST_CASE("every path for few columns agrees with double precision", "", float, double) {
  std::size_t i = 0;
  for (const std::size_t d : {1U, 2U, 3U, 4U, 5U, 6U, 7U, 8U, 9U, 10U, 11U, 12U, 16U, 17U, 18U, 24U, 64U})
    for (const std::size_t codewords : {1U, 2U, 15U, 16U, 17U, 32U, 33U, 64U, 65U, 128U, 255U, 256U, 257U, 1000U}) {
      const bitpq::random_stream stream(++i);
      const std::size_t rows = std::vector<std::size_t>{1, 63, 64, 65, 127, 193, 257, 1025, 1100}[stream.below(0, 9)];
      const std::size_t blocks = 1 + stream.below(1, rows > 300 ? 40 : 300);
      const std::size_t cols = blocks * d - stream.below(2, d);
      std::size_t codebooks = 1 + stream.below(3, 3);
      while (bitpq::ceil_div(blocks, bitpq::ceil_div(blocks, codebooks)) != codebooks) --codebooks;
      const std::size_t stages = std::vector<std::size_t>{1, 1, 2, 1, 3}[stream.below(5, 5)];
      const bool scaled = stream.below(6, 3) == 0;
      few_columns<TestType> p({rows, std::max(cols, d), d, codewords, codebooks, stages}, 1 + stream.below(4, 4), i,
                              scaled);
      p.expect();
      INFO(rows << " x " << cols << " in blocks of " << d << ", " << codewords << " codewords, " << codebooks
                << " codebooks, " << stages << " stages, " << p.n << " columns" << (scaled ? ", scaled" : ""));
      for_each_isa<TestType>([&](const kernel_table<TestType>& k) {
        const prepacked_matrix<TestType> packed(p.w, k, precision::lut16);
        for (const gemm_path path : {gemm_path::gemv, gemm_path::gemv_lut, gemm_path::lut16, gemm_path::automatic}) {
          if (!serves(path, p.format, k)) continue;
          INFO("path " << to_string(path));
          REQUIRE(p.error(p.run(packed, path)) <= column_bound<TestType>(path));
        }
      });
    }
}

TEST_CASE("tables of 16 bits keep their bound with one input a hundred times the others") {
  for (const std::size_t codewords : {16U, 64U, 128U, 256U})
    for (const std::size_t d : {1U, 4U, 8U, 9U})
      for (const float outlier : {1e-6F, 1.0F, 100.0F, -100.0F, 1e6F}) {
        few_columns<float> p({400, 300 * d, d, codewords, 1}, 1, codewords + d);
        p.x[p.x.size() / 3] *= outlier;
        p.expect();
        INFO(codewords << " codewords of " << d << ", outlier " << outlier);
        for_each_isa<float>([&](const kernel_table<float>& k) {
          if (!serves(gemm_path::lut16, p.format, k)) return;
          REQUIRE(p.error(p.run(prepacked_matrix<float>(p.w, k, precision::lut16), gemm_path::lut16)) <= 1e-4);
        });
      }
}

TEST_CASE("inputs of any scale, zero or not finite go through tables of 16 bits") {
  const few_columns<float> p({130, 128, 4, 16, 1}, 1, 5);
  for_each_isa<float>([&](const kernel_table<float>& k) {
    if (!serves(gemm_path::lut16, p.format, k)) return;
    const prepacked_matrix<float> packed(p.w, k, precision::lut16);
    for (const float scale : {1e-30F, 1e-10F, 1.0F, 1e10F, 1e30F}) {
      few_columns<float> scaled = p;
      for (float& v : scaled.x) v *= scale;
      scaled.expect();
      INFO("inputs times " << scale);
      REQUIRE(scaled.error(scaled.run(packed, gemm_path::lut16)) <= 1e-4);
    }
    few_columns<float> odd = p;
    std::fill(odd.x.begin(), odd.x.end(), 0.0F);
    CHECK(odd.run(packed, gemm_path::lut16) == std::vector<float>(130, 0.0F));
    odd.x = p.x;
    odd.x[77] = std::numeric_limits<float>::quiet_NaN();
    for (const float y : odd.run(packed, gemm_path::lut16)) REQUIRE(std::isnan(y));
    odd.x[77] = std::numeric_limits<float>::infinity();
    for (const float y : odd.run(packed, gemm_path::lut16)) REQUIRE_FALSE(std::isfinite(y));
  });
}

TEMPLATE_TEST_CASE("paths for few columns give the same bits for any executor and split of the columns", "", float,
                   double) {
  const thread_executor four(4);
  for (const code_format& format : {code_format{1301, 4 * 610, 4, 16, 3}, code_format{2100, 9 * 271, 9, 256, 1}}) {
    const few_columns<TestType> p(format, 5, 7);
    for_each_isa<TestType>([&](const kernel_table<TestType>& k) {
      const prepacked_matrix<TestType> packed(p.w, k, precision::lut16);
      for (const gemm_path path : column_paths) {
        if (!serves(path, format, k)) continue;
        INFO("path " << to_string(path));
        const std::vector<TestType> whole = p.run(packed, path);
        CHECK(p.run(packed, path, four) == whole);
        CHECK(p.run(packed, path, backward_executor{}) == whole);
        std::vector<TestType> parts(whole.size());
        const matrix_view<const TestType> x(p.x.data(), format.cols, p.n);
        const matrix_view<TestType> y(parts.data(), format.rows, p.n);
        for (std::size_t c = 0, n = 1; c < p.n; c += n, n = 2)
          gemm(packed, x.block(0, c, format.cols, n), y.block(0, c, format.rows, n), {}, {}, path);
        CHECK(parts == whole);
      }
    });
  }
}

TEST_CASE("forcing a path that cannot serve says why") {
  const few_columns<float> p({70, 64, 8, 300, 1}, 1, 1);
  const few_columns<double> wide({70, 64, 8, 16, 1}, 1, 1);
  for_each_isa<float>([&](const kernel_table<float>& k) {
    expect_error(bitpq::errc::unsupported,
                 "path gemv_lut: takes up to " + std::to_string(k.lookup.exact_codewords) +
                     " codewords of 32-bit numbers with the " + to_string(k.target) + " kernels, not 300",
                 [&] { static_cast<void>(p.run(prepacked_matrix<float>(p.w, k), gemm_path::gemv_lut)); });
    expect_error(bitpq::errc::unsupported, "path lut16: the layer was prepacked for exact products",
                 [&] { static_cast<void>(p.run(prepacked_matrix<float>(p.w, k), gemm_path::lut16)); });
  });
  const prepacked_matrix<double> packed(wide.w, bitpq::kernels_for<double>(bitpq::isa::scalar), precision::lut16);
  expect_error(bitpq::errc::unsupported,
               "path lut16: takes up to 0 codewords of 64-bit numbers with the scalar kernels, not 16",
               [&] { static_cast<void>(wide.run(packed, gemm_path::lut16)); });
}
