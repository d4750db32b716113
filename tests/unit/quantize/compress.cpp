// SPDX-License-Identifier: Apache-2.0

#include "support/catch.hpp"
#include "support/layers.hpp"
#include "support/thread_executor.hpp"

using bitpq::cluster_limit;
using bitpq::codeword_type;
using bitpq::compress;
using bitpq::extent2;
using bitpq::layer_geometry;
using bitpq::matrix_view;
using bitpq::pq_metric;
using bitpq::pq_params;
using bitpq_test::row_major;

namespace {

struct layer {
  const char* name;
  layer_geometry geometry;
  extent2 image;
  std::size_t block_size;  // that compress is to suggest
};

const std::vector<layer>& layers() {
  static const std::vector<layer> table{
      {"linear", layer_geometry::linear(48, 30), {1, 1}, 4},
      {"narrow linear", layer_geometry::linear(200, 3), {1, 1}, 3},
      {"1 x 1", layer_geometry::conv2d(32, 24, {1, 1}), {6, 6}, 4},
      {"3 x 3", layer_geometry::conv2d(24, 8, {3, 3}, {.padding = {1, 1}}), {9, 9}, 9},
      {"5 x 5, strided", layer_geometry::conv2d(40, 3, {5, 5}, {.stride = {2, 2}, .padding = {2, 2}}), {11, 11}, 25},
      {"7 x 7", layer_geometry::conv2d(24, 3, {7, 7}, {.stride = {2, 2}, .padding = {3, 3}}), {15, 15}, 4},
      {"grouped", layer_geometry::conv2d(48, 16, {3, 3}, {.padding = {1, 1}, .groups = 4}), {7, 8}, 9},
      {"depthwise", layer_geometry::conv2d(64, 64, {3, 3}, {.padding = {1, 1}, .groups = 64}), {6, 6}, 9},
      {"grouped 1 x 1", layer_geometry::conv2d(60, 20, {1, 1}, {.groups = 2}), {5, 5}, 4},
  };
  return table;
}

template <class T>
std::vector<T> weights_for(const layer_geometry& g) {
  std::vector<T> w = bitpq_test::random_values<T>(g.rows() * g.cols(), g.cols());
  for (T& v : w) v /= 8;
  return w;
}

template <class T>
bitpq::importance statistics_for(const layer& l, std::uint64_t seed = 1) {
  const std::size_t batch = 300 / (l.image.h * l.image.w) + 3;
  return bitpq_test::moments_of(
      l.geometry, bitpq_test::correlated_images<T>(batch, l.geometry.in_channels, l.image, seed), batch, l.image);
}

/// Squared errors of the decoded weights, from the definitions in double precision: of the weights, of the outputs.
template <class T>
std::pair<double, double> errors_of(const row_major& w, const bitpq::pq_matrix<T>& codes, const bitpq::importance& h) {
  const row_major e = w - bitpq_test::weights_of(codes);
  double lost = 0, all = 0;
  const Eigen::Index rows = w.rows() / static_cast<Eigen::Index>(h.groups());
  for (std::size_t g = 0; g < h.groups(); ++g) {
    const row_major m = bitpq_test::to_eigen(h.gram(g));
    const row_major eg = e.middleRows(static_cast<Eigen::Index>(g) * rows, rows);
    const row_major wg = w.middleRows(static_cast<Eigen::Index>(g) * rows, rows);
    lost += (eg * m * eg.transpose()).trace();
    all += (wg * m * wg.transpose()).trace();
  }
  return {e.squaredNorm() / w.squaredNorm(), lost / all};
}

pq_params small_codebook() {
  pq_params params;
  params.codewords = 24;
  params.limit = cluster_limit::points;
  params.max_iterations = 30;
  return params;
}

}  // namespace

TEMPLATE_TEST_CASE("reports agree with the weights they are about", "", float, double) {
  using T = TestType;
  for (const layer& l : layers())
    for (const auto storage : {codeword_type::f16, codeword_type::i8}) {
      INFO(l.name << ", " << to_string(storage));
      const layer_geometry& g = l.geometry;
      const std::vector<T> w = weights_for<T>(g);
      const bitpq::importance h = statistics_for<T>(l);
      pq_params params = small_codebook();
      params.storage = storage;
      const matrix_view<const T> view(w.data(), g.rows(), g.cols());
      const bitpq::compression<T> made = compress<T>(g, view, &h, params);
      const bitpq::layer_report& report = made.report;
      CHECK((made.geometry == g && report.geometry == g && report.storage == storage));
      CHECK(report.format == made.weights.format());
      CHECK(report.format.block_size == l.block_size);
      const auto [weight_error, output_error] = errors_of(bitpq_test::to_eigen(view), made.weights, h);
      CHECK(report.weight_error == Approx(weight_error).epsilon(1e-5));
      REQUIRE(report.output_error.has_value());
      CHECK(*report.output_error == Approx(output_error).epsilon(1e-5));
      CHECK((weight_error > 0 && weight_error < 1 && output_error < 1));
      const std::size_t codes = g.rows() * bitpq::ceil_div(g.cols(), l.block_size);
      const std::size_t codewords = std::min<std::size_t>(24, codes);
      const std::size_t bits = (codes * 5 + 7) / 8 * 8 +
                               codewords * l.block_size * (storage == codeword_type::i8 ? 8 : 16) +
                               (storage == codeword_type::i8 ? 32 : 0);
      CHECK(report.size.total_bits() == bits);
      CHECK(report.size.bytes() == bits / 8);
      CHECK(report.size.bits_per_weight() == Approx(static_cast<double>(bits) / static_cast<double>(w.size())));
      CHECK(report.seconds > 0);
    }
}

TEST_CASE("sizes of a layer, by hand") {
  const layer_geometry g = layer_geometry::conv2d(64, 64, {1, 1});
  const std::vector<float> w = weights_for<float>(g);
  pq_params params;  // 256 codewords, of which the paper's limit leaves 128 for 1024 blocks
  params.metric = pq_metric::weights;
  const auto report = [&] { return compress<float>(g, {w.data(), 64, 64}, nullptr, params).report; };
  CHECK((report().format.codewords == 128 && report().format.block_size == 4));
  CHECK((report().size.code_bits == 1024 * 7 && report().size.codebook_bits == 128 * 4 * 16));
  CHECK((report().size.bytes() == 1920 && report().size.bits_per_weight() == 3.75));
  CHECK(!report().output_error.has_value());
  params.storage = codeword_type::i8;
  CHECK(report().size.bytes() == 896 + 512 + 4);
  params.block_size = 8;
  CHECK(report().format.codewords == 64);
  CHECK(report().size.bytes() == 512 * 6 / 8 + 64 * 8 + 4);
  params.storage = codeword_type::f32;
  params.limit = cluster_limit::points;
  CHECK(report().format.codewords == 256);
  CHECK(report().size.bytes() == 512 + 256 * 8 * 4);
}

TEST_CASE("small layers get the codewords that their limit allows") {
  struct row {
    layer_geometry geometry;
    std::size_t block_size, paper, points;
  };
  for (const row& r : std::vector<row>{{layer_geometry::conv2d(64, 64, {3, 3}), 9, 512, 2048},
                                       {layer_geometry::conv2d(64, 64, {3, 3}), 18, 256, 2048},
                                       {layer_geometry::conv2d(128, 64, {1, 1}), 4, 256, 2048},
                                       {layer_geometry::conv2d(64, 64, {3, 3}, {.groups = 64}), 9, 8, 64},
                                       {layer_geometry::linear(10, 20), 4, 8, 50},
                                       {layer_geometry::linear(1, 4), 4, 1, 1},
                                       {layer_geometry::linear(3, 5), 4, 1, 3}}) {  // three full blocks and three tails
    const std::vector<float> w = weights_for<float>(r.geometry);
    pq_params params;
    params.block_size = r.block_size;
    params.codewords = 2048;
    params.metric = pq_metric::weights;
    params.max_iterations = 1;
    const matrix_view<const float> view(w.data(), r.geometry.rows(), r.geometry.cols());
    CHECK(compress<float>(r.geometry, view, nullptr, params).report.format.codewords == r.paper);
    params.limit = cluster_limit::points;
    CHECK(compress<float>(r.geometry, view, nullptr, params).report.format.codewords == r.points);
  }
}

TEMPLATE_TEST_CASE("the Gram metric loses less of the output than plain k-means", "", float, double) {
  using T = TestType;
  for (const char* name : {"3 x 3", "grouped", "5 x 5, strided", "linear"})
    for (const layer& l : layers()) {
      if (std::string(l.name) != name) continue;
      INFO(l.name);
      const std::vector<T> w = weights_for<T>(l.geometry);
      const bitpq::importance h = statistics_for<T>(l), held_out = statistics_for<T>(l, 2);
      const matrix_view<const T> view(w.data(), l.geometry.rows(), l.geometry.cols());
      pq_params params = small_codebook();
      const bitpq::compression<T> gram = compress<T>(l.geometry, view, &h, params);
      params.metric = pq_metric::weights;
      const bitpq::compression<T> plain = compress<T>(l.geometry, view, &h, params);
      CHECK(*gram.report.output_error < 0.95 * *plain.report.output_error);
      CHECK(bitpq::relative_output_error<T>(view, gram.weights, held_out) <
            bitpq::relative_output_error<T>(view, plain.weights, held_out));
      CHECK(gram.report.weight_error > plain.report.weight_error);
    }
}

TEST_CASE("compressing is the same on any executor") {
  for (const layer& l : layers()) {
    INFO(l.name);
    const std::vector<float> w = weights_for<float>(l.geometry);
    const bitpq::importance h = statistics_for<float>(l);
    const matrix_view<const float> view(w.data(), l.geometry.rows(), l.geometry.cols());
    const auto serial = compress<float>(l.geometry, view, &h, small_codebook());
    const auto threads = compress<float>(l.geometry, view, &h, small_codebook(), bitpq_test::thread_executor(3));
    CHECK(bitpq_test::same_weights(serial.weights, threads.weights));
    CHECK(serial.report.output_error == threads.report.output_error);
    CHECK(serial.report.weight_error == threads.report.weight_error);
  }
}

TEMPLATE_TEST_CASE("the units of the calibration inputs do not change a code", "", float, double) {
  using T = TestType;
  for (const layer& l : layers()) {
    INFO(l.name);
    const std::vector<T> w = weights_for<T>(l.geometry);
    const matrix_view<const T> view(w.data(), l.geometry.rows(), l.geometry.cols());
    std::vector<T> x = bitpq_test::correlated_images<T>(20, l.geometry.in_channels, l.image, 4);
    const bitpq::importance h = bitpq_test::moments_of(l.geometry, x, 20, l.image);
    const auto want = compress<T>(l.geometry, view, &h, small_codebook());
    for (const double scale : {1e3, 1e-3}) {
      std::vector<double> scaled(x.begin(), x.end());
      for (double& v : scaled) v *= scale;
      const bitpq::importance hs = bitpq_test::moments_of(l.geometry, scaled, 20, l.image);
      const auto got = compress<T>(l.geometry, view, &hs, small_codebook());
      CHECK(got.weights.codes() == want.weights.codes());
      CHECK(*got.report.output_error == Approx(*want.report.output_error).epsilon(1e-5));
    }
  }
}

TEST_CASE("layers of zeros and layers whose inputs are zero") {
  const layer_geometry g = layer_geometry::linear(20, 12);
  const std::vector<float> zeros(20 * 12, 0.0F), w = weights_for<float>(g), silence(12 * 7, 0.0F);
  const bitpq::importance h = bitpq_test::moments_of(g, weights_for<float>(g), 20, {1, 1});
  const bitpq::importance none = bitpq_test::moments_of(g, silence, 7, {1, 1});
  const auto nothing = compress<float>(g, {zeros.data(), 20, 12}, &h, small_codebook());
  CHECK((nothing.report.weight_error == 0 && *nothing.report.output_error == 0));
  CHECK(bitpq_test::weights_of(nothing.weights).isZero(0));
  const auto unheard = compress<float>(g, {w.data(), 20, 12}, &none, small_codebook());
  pq_params params = small_codebook();
  params.metric = pq_metric::weights;
  CHECK(bitpq_test::same_weights(unheard.weights, compress<float>(g, {w.data(), 20, 12}, nullptr, params).weights));
  CHECK(*unheard.report.output_error == 0);
}
