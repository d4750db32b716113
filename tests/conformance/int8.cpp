// SPDX-License-Identifier: Apache-2.0

// The 8-bit path on every instruction set: its error against the bound that its two roundings give, no error where
// nothing is rounded, and the same bits on all instruction sets, for any executor and however the work is split.

#include "support/guarded_array.hpp"
#include "support/kernels.hpp"
#include "support/random_pq.hpp"
#include "support/reference.hpp"
#include "support/thread_executor.hpp"

#include <bitpq/inference.hpp>

#include <cmath>

using bitpq::extent2;
using bitpq::gemm_path;
using bitpq::kernel_table;
using bitpq::layer_geometry;
using bitpq::matrix_view;
using bitpq::nchw_view;
using bitpq::precision;
using bitpq::prepacked_matrix;
using namespace bitpq_test;

namespace {

/// The unit of elements whose bytes reach from the least of them, or zero, to the largest.
double activation_unit(const std::vector<double>& v) {
  const double low = std::min(0.0, *std::min_element(v.begin(), v.end()));
  const double high = std::max(0.0, *std::max_element(v.begin(), v.end()));
  return (high - low) / (low < 0 && high > 0 ? 254 : 255);
}
std::vector<double> absolute(std::vector<double> v) {
  for (double& a : v) a = std::abs(a);
  return v;
}

/// What enters the bound: per weight, the sum of the magnitudes of its terms, one per stage, and how many there are,
/// both times the row's scale; and the unit of the terms.
struct weight_terms {
  explicit weight_terms(const bitpq::pq_matrix<float>& w)
      : unit(prepack(w, precision::int8).int8().scale()), sizes(w.rows() * w.cols()), counts(sizes.size()) {
    for (std::size_t stage = 0; stage < w.format().stages; ++stage) {
      const std::vector<double> terms = absolute(as_double(decoded_stage(w, stage)));
      for (std::size_t i = 0; i < sizes.size(); ++i) {
        const double scale = std::abs(static_cast<double>(w.scales()[i / w.cols()]));
        sizes[i] += terms[i] * scale;
        counts[i] += scale;
      }
    }
  }

  double unit;
  std::vector<double> sizes, counts;
};

/// |y - W x| <= sx / 2 sum |w| + sw sum |x| + sx sw / 2 n over the n products of an output, with the units sx and sw,
/// and a little for the last rounding to float.
double bound(double sum_w, double sum_x, double n, double sx, double sw) {
  return (sx / 2 * sum_w + sw * sum_x + sx * sw / 2 * n) * (1 + 1e-4);
}

struct product {
  product(const bitpq::code_format& format, std::size_t columns, std::uint64_t seed, bool scaled = false)
      : n(columns),
        w(random_pq<float>(format, seed, bitpq::codeword_type::f32, scaled)),
        x(random_values<float>(format.cols * n, seed + 1)) {
    for (std::size_t i = 0; i < x.size(); ++i) {  // columns differ, and some have no negative elements, or no others
      x[i] *= static_cast<float>(1 + 100 * (i % n % 3));
      if (i % n % 5 > 2) x[i] = i % n % 5 == 3 ? std::abs(x[i]) : -std::abs(x[i]);
    }
  }

  [[nodiscard]] std::vector<float> run(const kernel_table<float>& k, layout of_x = layout::dense,
                                       bitpq::executor_ref exec = {}) const {
    guarded_array<float, 2> input({w.cols(), n}, of_x, x), y({w.rows(), n}, layout::dense);
    gemm(prepacked_matrix<float>(w, k, precision::int8), view(input), view(y), {}, exec, gemm_path::int8);
    REQUIRE(y.intact());
    return y.values();
  }

  void check(const std::vector<float>& y) const {
    const std::size_t rows = w.rows(), cols = w.cols();
    const std::vector<double> b = as_double(x), b_size = absolute(b);
    const std::vector<double> want = reference_product(as_double(decoded(w)), b, rows, cols, n);
    const weight_terms terms(w);
    for (std::size_t c = 0; c < n; ++c) {
      std::vector<double> column(cols);
      for (std::size_t i = 0; i < cols; ++i) column[i] = b[i * n + c];
      const double sx = activation_unit(column);
      for (std::size_t r = 0; r < rows; ++r) {
        double sum_w = 0, sum_x = 0, count = 0;
        for (std::size_t i = 0; i < cols; ++i) {
          sum_w += terms.sizes[r * cols + i];
          sum_x += terms.counts[r * cols + i] * b_size[i * n + c];
          count += terms.counts[r * cols + i];
        }
        REQUIRE(std::abs(y[r * n + c] - want[r * n + c]) <= bound(sum_w, sum_x, count, sx, terms.unit));
      }
    }
  }

  std::size_t n;
  bitpq::pq_matrix<float> w;
  std::vector<float> x;
};

struct convolution {
  convolution(std::size_t out_channels, std::size_t in, extent2 size, extent2 kernel, const bitpq::conv2d_options& how,
              std::size_t d, std::size_t images, std::size_t stages = 1)
      : g(layer_geometry::conv2d(out_channels, in, kernel, how)),
        image(size),
        batch(images),
        out(g.output_size(size)),
        w(random_pq<float>({g.rows(), g.cols(), std::min(d, g.cols()), 50, 1, stages}, d, bitpq::codeword_type::f32,
                           stages > 1)),
        x(random_values<float>(batch * in * size.h * size.w, d + 1)) {
    for (std::size_t i = 0; i < x.size(); ++i) {  // images differ, and the second has no negative elements
      const std::size_t number = i / (x.size() / batch);
      x[i] = (number == 1 ? std::abs(x[i]) : x[i]) * static_cast<float>(1 + number);
    }
  }

  [[nodiscard]] std::vector<float> run(const kernel_table<float>& k, layout of_x = layout::dense,
                                       bitpq::executor_ref exec = {}) const {
    guarded_array<float, 4> input({batch, g.in_channels, image.h, image.w}, of_x, x),
        y({batch, g.out_channels, out.h, out.w}, of_x);
    conv2d(prepacked_matrix<float>(w, k, precision::int8), g, view(input), view(y), {}, exec, gemm_path::int8);
    REQUIRE(y.intact());
    return y.values();
  }

  void check(const std::vector<float>& y) const {
    const std::vector<double> b = as_double(x), ones(b.size(), 1.0);
    const auto times = [&](const std::vector<double>& weights, const std::vector<double>& input) {
      return reference_convolution(g, weights, input, batch, image);
    };
    const weight_terms terms(w);
    const std::vector<double> want = times(as_double(decoded(w)), b), sum_w = times(terms.sizes, ones),
                              sum_x = times(terms.counts, absolute(b)), count = times(terms.counts, ones);
    const std::size_t each = x.size() / batch, map = y.size() / batch;
    for (std::size_t i = 0; i < y.size(); ++i) {
      const auto first = b.begin() + static_cast<std::ptrdiff_t>(i / map * each);
      const double sx = activation_unit({first, first + static_cast<std::ptrdiff_t>(each)});
      REQUIRE(std::abs(y[i] - want[i]) <= bound(sum_w[i], sum_x[i], count[i], sx, terms.unit));
    }
  }

  layer_geometry g;
  extent2 image;
  std::size_t batch;
  extent2 out;
  bitpq::pq_matrix<float> w;
  std::vector<float> x;
};

/// Checks the portable kernels' result, and that all others come to the same bits from any layout.
template <class Case>
void check_everywhere(const Case& c) {
  const std::vector<float> want = c.run(bitpq::kernels_for<float>(bitpq::isa::scalar));
  c.check(want);
  for_each_isa<float>([&](const kernel_table<float>& k) {
    for (const layout of_x : all_layouts) {
      INFO("layout " << static_cast<int>(of_x));
      REQUIRE(c.run(k, of_x) == want);
    }
  });
}

const std::vector<convolution>& convolutions() {
  static const std::vector<convolution> all{
      {9, 5, {6, 11}, {3, 3}, {{1, 1}, {1, 1}, {1, 1}, 1}, 9, 1},
      {17, 16, {8, 8}, {3, 3}, {{1, 1}, {1, 1}, {1, 1}, 1}, 18, 3},
      {4, 3, {5, 70}, {3, 3}, {{1, 1}, {1, 1}, {1, 1}, 1}, 27, 1},
      {24, 8, {14, 13}, {3, 3}, {{2, 2}, {1, 1}, {1, 1}, 1}, 9, 2},
      {6, 4, {40, 75}, {3, 3}, {{2, 2}, {1, 1}, {1, 1}, 1}, 36, 1},
      {6, 4, {12, 10}, {3, 3}, {{1, 1}, {2, 2}, {2, 2}, 1}, 4, 1},
      {6, 4, {11, 13}, {3, 3}, {{2, 3}, {4, 1}, {3, 2}, 2}, 3, 2},
      {20, 12, {6, 7}, {3, 3}, {{1, 1}, {1, 1}, {1, 1}, 4}, 9, 2},
      {13, 13, {9, 6}, {3, 3}, {{1, 1}, {1, 1}, {1, 1}, 13}, 9, 2},
      {33, 19, {7, 5}, {1, 1}, {}, 4, 2},
      {12, 16, {9, 8}, {1, 1}, {{2, 2}, {0, 0}, {1, 1}, 1}, 8, 3},
      {16, 3, {23, 21}, {7, 7}, {{2, 2}, {3, 3}, {1, 1}, 1}, 49, 1},
      {11, 3, {5, 6}, {5, 6}, {}, 5, 5},
      {7, 150, {4, 4}, {3, 3}, {{1, 1}, {1, 1}, {1, 1}, 1}, 2, 1},
      {10, 40, {5, 7}, {3, 3}, {{1, 1}, {1, 1}, {1, 1}, 2}, 9, 2, 2},
  };
  return all;
}

}  // namespace

TEST_CASE("8-bit products keep to the bound of their roundings, with the same bits everywhere") {
  std::size_t i = 0;
  for (const std::size_t d : {1U, 2U, 3U, 4U, 8U, 9U, 18U, 36U})
    for (const std::size_t n : {1U, 5U, 64U, 131U}) {
      const std::size_t cols = d * (1 + i % 5) + (d > 1 ? d / 2 : 0) + (i % 7 == 0 ? 300 : 0);
      const std::size_t blocks = bitpq::ceil_div(cols, d), books = i % 3 == 1 ? blocks : 1;
      const std::size_t stages = i % 5 == 2 ? 2 : i % 5 == 4 ? 3 : 1;
      INFO("blocks of " << d << ", " << cols << " x " << n << ", " << books << " codebooks, " << stages << " stages");
      check_everywhere(product({1 + i * 5 % 40, cols, d, i % 4 == 3 ? 300U : 40U, books, stages}, n, i, i % 4 == 1));
      ++i;
    }
}

TEST_CASE("8-bit convolutions keep to the bound of their roundings, with the same bits everywhere") {
  for (const convolution& c : convolutions()) {
    INFO(c.g.in_channels << " to " << c.g.out_channels << ", " << c.image.h << " x " << c.image.w << ", blocks of "
                         << c.w.format().block_size);
    check_everywhere(c);
  }
}

TEST_CASE("the error on dense data is about what rounding gives") {
  // Uniform in [-1, 1], or rectified: the mean square is 1 / 3 of the weights, 1 / 3 or 1 / 6 of the inputs; that of a
  // rounding is unit^2 / 12.
  for (const bool rectified : {false, true}) {
    INFO("rectified " << rectified);
    product p({64, 512, 8, 256, 1}, 66, 3);
    p.x = random_values<float>(p.x.size(), 4);
    if (rectified)
      for (float& v : p.x) v = std::max(v, 0.0F);
    const double sx = rectified ? 1 / 255.0 : 1 / 127.0, sw = prepack(p.w, precision::int8).int8().scale();
    CHECK(sw < 1 / 127.0);
    const std::vector<double> want = reference_product(as_double(decoded(p.w)), as_double(p.x), 64, 512, 66);
    const double expected = std::sqrt((sx * sx * (rectified ? 6 : 3) + sw * sw * 3) / 12);
    for_each_isa<float>([&](const kernel_table<float>& k) {
      const double error = relative_error(as_double(p.run(k)), want);
      CHECK(error < 1.2 * expected);
      CHECK(error > 0.8 * expected);
    });
  }
}

TEST_CASE("a few large weights cost the many others nothing") {
  // Few enough blocks have the codeword with the large element for a unit that it exceeds four times.
  struct large_weights {
    std::size_t blocks;
    std::vector<std::size_t> at;  // codes
  };
  const auto& [blocks, large] = GENERATE(values<large_weights>({
      {30, {8, 300, 719}}, {70, {45, 400, 1679}},  // in the second and third run of the depth alone
  }));
  const std::size_t rows = 24, d = 9, cols = blocks * d - 4, n = 70;
  std::vector<float> book = random_values<float>(20 * d, 1);
  book[3] = 4;
  book[d - 1] = -3;  // in a word that blocks share
  std::vector<std::uint16_t> codes = random_codes<std::uint16_t>(rows * blocks, 19, 2);
  for (std::uint16_t& code : codes) ++code;
  for (const std::size_t at : large) codes[at] = 0;
  const bitpq::pq_matrix<float> w(rows, cols, bitpq::codebook<float>(book, 1, 20, d), bitpq::packed_codes(5, codes));
  CHECK(prepack(w, precision::int8).int8().scale() <= 1.1F / 127);
  const std::vector<float> x = random_values<float>(cols * n, 3);
  const std::vector<double> want = reference_product(as_double(decoded(w)), as_double(x), rows, cols, n);
  std::vector<float> first;
  for_each_isa<float>([&](const kernel_table<float>& k) {
    std::vector<float> y(rows * n);
    gemm(prepacked_matrix<float>(w, k, precision::int8), {x.data(), cols, n}, {y.data(), rows, n}, {}, {},
         gemm_path::int8);
    CHECK(relative_error(as_double(y), want) < 0.0145);
    if (first.empty()) first = y;
    CHECK(y == first);
  });
}

TEST_CASE("8-bit products of whole numbers in units of one are exact, epilogue and all") {
  // Codewords that are stored in 8 bits keep their unit. Columns are of -127 to 127, or of 0 to 255.
  const std::size_t rows = 23, cols = 45, n = 70, d = 9;
  std::vector<std::int8_t> book;
  for (const float v : random_integers<float>(20 * d, 1, 127)) book.push_back(static_cast<std::int8_t>(v));
  std::vector<float> x = random_integers<float>(cols * n, 2, 127), scales(rows);
  for (std::size_t r = 0; r < rows; ++r) scales[r] = std::vector<float>{1, -2, 0.5F}[r % 3];
  for (std::size_t i = 0; i < x.size(); ++i)
    if (i % n % 3 == 1) x[i] = std::min(2 * std::abs(x[i]), 255.0F);
  for (std::size_t c = 0; c < n; ++c) {
    x[c] = c % 3 == 1 ? 255.0F : 127.0F;
    x[n + c] = c % 3 == 1 ? 0.0F : -127.0F;
  }
  const bitpq::pq_matrix<float> w(rows, cols, bitpq::codebook<float>::from_int8(book, std::vector{1.0F}, 20, d),
                                  bitpq::packed_codes(5, random_codes(rows * cols / d, 20, 3)), 1,
                                  bitpq::row_scales<float>(scales));
  const std::vector<float> bias = random_integers<float>(rows, 4), residual = random_integers<float>(rows * n, 5, 9999);
  std::vector<double> want = reference_product(as_double(decoded(w)), as_double(x), rows, cols, n);
  reference_epilogue(want, as_double(bias), n, as_double(residual), true);
  for_each_isa<float>([&](const kernel_table<float>& k) {
    std::vector<float> y(rows * n);
    gemm(prepacked_matrix<float>(w, k, precision::int8), {x.data(), cols, n}, {y.data(), rows, n},
         {bias, {residual.data(), rows, n}, true}, {}, gemm_path::int8);
    CHECK(as_double(y) == want);
  });
}

TEST_CASE("8-bit results are the same bits for any executor and split") {
  const product p({700, 90, 9, 30, 2, 2}, 171, 1, true);
  const convolution& c = convolutions()[1];
  const thread_executor four(4);
  for_each_isa<float>([&](const kernel_table<float>& k) {
    const std::vector<float> alone = p.run(k);
    CHECK(p.run(k, layout::dense, four) == alone);
    CHECK(p.run(k, layout::dense, backward_executor{}) == alone);
    const prepacked_matrix<float> packed(p.w, k, precision::int8);
    std::vector<float> parts(alone.size());
    const matrix_view<const float> x(p.x.data(), 90, p.n);
    const matrix_view<float> y(parts.data(), 700, p.n);
    for (std::size_t first = 0; first < p.n; first += 37) {
      const std::size_t n = std::min<std::size_t>(37, p.n - first);
      gemm(packed, x.block(0, first, 90, n), y.block(0, first, 700, n), {}, {}, gemm_path::int8);
    }
    CHECK(parts == alone);

    const std::vector<float> batch = c.run(k);
    CHECK(c.run(k, layout::dense, four) == batch);
    std::vector<float> singly(batch.size());
    const std::size_t each = c.x.size() / c.batch, map = batch.size() / c.batch;
    for (std::size_t i = 0; i < c.batch; ++i)
      conv2d(prepacked_matrix<float>(c.w, k, precision::int8), c.g,
             {c.x.data() + i * each, 1, c.g.in_channels, c.image.h, c.image.w},
             {singly.data() + i * map, 1, c.g.out_channels, c.out.h, c.out.w}, {}, {}, gemm_path::int8);
    CHECK(singly == batch);
  });
}
