// SPDX-License-Identifier: Apache-2.0

// Every path of a product on every instruction set against decoding and multiplying in double precision. The space of
// formats, shapes and layouts is far too large to walk: every block size meets every number of codewords, and all else
// is drawn, so that each pair of choices comes up several times.

#include "support/guarded_array.hpp"
#include "support/kernels.hpp"
#include "support/product_paths.hpp"
#include "support/random_pq.hpp"
#include "support/reference.hpp"

#include <bitpq/gemm/dense.hpp>

#include <cmath>
#include <sstream>

using bitpq::gemm_path;
using bitpq::kernel_table;
using bitpq::matrix_view;
using namespace bitpq_test;

namespace {

const std::vector<std::size_t> block_sizes{1, 2, 3, 4, 5, 7, 8, 9, 16, 18, 25, 33, 64};
const std::vector<std::size_t> codeword_counts{1, 2, 16, 17, 64, 255, 256, 257, 300, 1024};
const std::vector<std::size_t> sides{1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11,  12,  13,  15,  16,
                                     17, 31, 32, 33, 63, 64, 65, 95, 96, 97, 127, 128, 129, 255, 257};
const std::vector<std::size_t> deep{767, 768, 769, 1151, 1152, 1153, 1161, 1537, 2305, 2500};
const std::vector<std::size_t> tall{383, 384, 385, 769, 2047, 2048, 2049};
const std::vector<std::size_t> column_counts{1,  2,  3,  4,  5,  7,  8,   9,   15,  16,  17,
                                             31, 32, 33, 63, 64, 65, 100, 127, 128, 129, 300};

template <class T>
constexpr double rounding = std::is_same_v<T, float> ? 1e-5 : 1e-13;

struct product_case {
  bitpq::code_format format;
  bitpq::codeword_type type;
  std::size_t n;
  layout of_x, of_y, of_residual;
  bool bias, relu, scaled;
  enum { none, separate, in_place } residual;

  [[nodiscard]] std::string text() const {
    std::ostringstream out;
    out << format.rows << " x " << format.cols << " x " << n << ", blocks of " << format.block_size << ", "
        << format.codebooks << " x " << format.codewords << " codewords " << to_string(type) << ", " << format.stages
        << " stages" << (scaled ? ", scaled" : "") << ", layouts " << static_cast<int>(of_x) << static_cast<int>(of_y)
        << static_cast<int>(of_residual) << (bias ? ", bias" : "") << (relu ? ", relu" : "") << ", residual "
        << residual;
    return out.str();
  }
};

/// Draws the rest of case i, whose block size and codewords are given.
product_case draw(std::size_t i, std::size_t d, std::size_t codewords, bool wide) {
  const bitpq::random_stream stream(2024, i);
  std::size_t draws = 0;
  const auto below = [&](std::size_t n) { return stream.below(draws++, n); };
  const auto one_of = [&](const std::vector<std::size_t>& from) { return from[below(from.size())]; };
  product_case c{};
  const bool is_deep = below(8) == 0;
  std::size_t rows = one_of(sides), cols = std::max(d, is_deep ? one_of(deep) : one_of(sides));
  if (below(16) == 0) rows = one_of(tall);  // around a task of rows
  c.n = one_of(column_counts);
  const std::size_t stages = std::vector<std::size_t>{1, 1, 2, 1, 3}[stream.below(100, 5)];
  c.scaled = stream.below(101, 3) == 0;
  while (rows * cols * c.n * stages > 400000)
    (rows > c.n ? rows : c.n) = std::max<std::size_t>(1, (rows > c.n ? rows : c.n) / 3);
  const std::size_t blocks = bitpq::ceil_div(cols, d);
  std::size_t codebooks = std::vector<std::size_t>{1, 2, 3, blocks, (blocks + 1) / 2}[below(5)];
  const auto fits = [&] {
    return codewords * codebooks * d <= 60000 &&
           bitpq::ceil_div(blocks, bitpq::ceil_div(blocks, codebooks)) == codebooks;
  };
  while (codebooks > 1 && !fits()) --codebooks;
  c.format = {rows, cols, d, codewords, codebooks, stages};
  c.type = std::vector{bitpq::codeword_type::f32, bitpq::codeword_type::f16, bitpq::codeword_type::i8,
                       wide ? bitpq::codeword_type::f64 : bitpq::codeword_type::f32}[below(4)];
  c.of_x = all_layouts[below(all_layouts.size())];
  c.of_y = all_layouts[below(all_layouts.size())];
  c.of_residual = all_layouts[below(all_layouts.size())];
  c.bias = below(2) == 0;
  c.relu = below(2) == 0;
  c.residual = std::vector{product_case::none, product_case::separate, product_case::in_place}[below(3)];
  return c;
}

/// The operands of a case and what the product must come to.
template <class T>
struct prepared_product {
  explicit prepared_product(const product_case& given, std::uint64_t seed)
      : c(given),
        w(random_pq<T>(c.format, seed, c.type, c.scaled)),
        dense(decoded(w)),
        x_values(random_values<T>(c.format.cols * c.n, seed + 1)),
        residual_values(random_values<T>(c.format.rows * c.n, seed + 2)),
        bias(random_values<T>(c.bias ? c.format.rows : 0, seed + 3)),
        x({c.format.cols, c.n}, c.of_x, x_values),
        residual({c.format.rows, c.n}, c.of_residual, residual_values) {
    const std::vector<double> a = as_double(dense), b = as_double(x_values);
    want = reference_product(a, b, c.format.rows, c.format.cols, c.n);
    if (c.residual == product_case::none) residual_values.clear();
    reference_epilogue(want, as_double(bias), c.n, as_double(residual_values), c.relu);
    least = norm(a) * norm(b) / std::sqrt(static_cast<double>(c.format.cols));
  }

  /// Runs multiply(x, y, epilogue) into a fresh output and checks it.
  template <class F>
  void check(F&& multiply) {
    guarded_array<T, 2> y({c.format.rows, c.n}, c.of_y);
    if (c.residual == product_case::in_place) y = guarded_array<T, 2>({c.format.rows, c.n}, c.of_y, residual_values);
    bitpq::epilogue<T> fused{bias, {}, c.relu};
    if (c.residual == product_case::separate) fused.residual = view(residual);
    if (c.residual == product_case::in_place) fused.residual = view(y);
    multiply(matrix_view<const T>(view(x)), view(y), fused);
    REQUIRE(relative_error(as_double(y.values()), want, least) <= rounding<T>);
    REQUIRE(y.intact());
  }

  product_case c;
  bitpq::pq_matrix<T> w;
  std::vector<T> dense, x_values, residual_values, bias;
  guarded_array<T, 2> x, residual;
  std::vector<double> want;
  double least = 0;
};

template <class T>
void check_case(const product_case& c, std::uint64_t seed) {
  INFO(c.text());
  prepared_product<T> p(c, seed);
  for_each_isa<T>([&](const kernel_table<T>& k) {
    const bitpq::prepacked_matrix<T> packed(p.w, k);
    for (const gemm_path path : paths_of(bitpq::plan_gemm(packed, c.n))) {
      INFO("path " << bitpq::to_string(path));
      p.check([&](auto x, auto y, const auto& fused) { gemm(packed, x, y, fused, {}, path); });
    }
    INFO("path dense");
    const matrix_view<const T> weights(p.dense.data(), c.format.rows, c.format.cols);
    p.check([&](auto x, auto y, const auto& fused) { bitpq::dense_gemm(weights, x, y, fused, {}, k); });
  });
}

}  // namespace

TEMPLATE_TEST_CASE("every path of a product agrees with double precision", "", float, double) {
  std::size_t i = 0;
  for (int round = 0; round < 3; ++round)
    for (const std::size_t d : block_sizes)
      for (const std::size_t codewords : codeword_counts) {
        check_case<TestType>(draw(i, d, codewords, std::is_same_v<TestType, double>), i);
        ++i;
      }
  WARN(i << " products on each of " << usable_names<TestType>());
}

TEMPLATE_TEST_CASE("small products with tails everywhere agree with double precision", "", float, double) {
  std::size_t i = 10000;
  for (std::size_t rows = 1; rows <= 10; rows += 3)
    for (std::size_t cols = 1; cols <= 10; ++cols)
      for (std::size_t n = 1; n <= 10; n += 4) {
        product_case c = draw(++i, 1, 3, false);
        const std::size_t d = 1 + i % cols;
        c.format = {rows, cols, d, 1 + i % 5, i % 2 == 0 ? 1 : bitpq::ceil_div(cols, d), 1 + i % 3};
        c.n = n;
        check_case<TestType>(c, i);
      }
}

TEMPLATE_TEST_CASE("codes of sixteen bits agree with double precision", "", float, double) {
  product_case c = draw(20000, 2, 1, false);
  c.format = {17, 9, 2, 65536, 1};
  c.n = 5;
  check_case<TestType>(c, 3);
}
