// SPDX-License-Identifier: Apache-2.0

// What holds for every compressed matrix: coding what was decoded changes nothing, whatever the format.

#include "support/catch.hpp"
#include "support/layers.hpp"

using bitpq::codebook_scope;
using bitpq::codeword_type;
using bitpq::importance;
using bitpq::layer_geometry;
using bitpq::matrix_view;
using bitpq::pq_metric;
using bitpq::pq_params;
using bitpq::product_quantizer;

namespace {

struct layer_sizes {
  std::size_t rows, cols, block_size, codewords;
};

const std::vector<layer_sizes>& all_layers() {
  static const std::vector<layer_sizes> table{{40, 12, 4, 16},  {40, 13, 4, 16}, {25, 15, 4, 9},  {64, 16, 1, 7},
                                              {100, 7, 7, 20},  {30, 9, 8, 5},   {50, 27, 9, 33}, {20, 40, 18, 12},
                                              {90, 5, 2, 1000}, {1, 64, 4, 8},   {64, 1, 1, 30},  {17, 31, 16, 3}};
  return table;
}

template <class T>
std::vector<codeword_type> storages() {
  std::vector<codeword_type> types{codeword_type::f32, codeword_type::f16, codeword_type::i8};
  if constexpr (std::is_same_v<T, double>) types.push_back(codeword_type::f64);
  return types;
}

template <class T>
std::vector<T> decoded(const bitpq::pq_matrix<T>& codes) {
  std::vector<T> w(codes.rows() * codes.cols());
  codes.decode({w.data(), codes.rows(), codes.cols()});
  return w;
}

template <class T>
void check_idempotent(const layer_sizes& s, pq_params params) {
  const std::vector<T> w = bitpq_test::random_values<T>(s.rows * s.cols, s.rows + s.cols);
  const layer_geometry g = layer_geometry::linear(s.rows, s.cols);
  const importance h = bitpq_test::moments_of(g, bitpq_test::correlated_images<T>(60, s.cols, {1, 1}, 3), 60, {1, 1});
  product_quantizer<T> quantizer(params);
  quantizer.train({w.data(), s.rows, s.cols}, &h);
  const bitpq::pq_matrix<T> once = quantizer.encode({w.data(), s.rows, s.cols});
  const std::vector<T> first = decoded(once);
  const std::vector<T> second = decoded(quantizer.encode({first.data(), s.rows, s.cols}));
  CHECK(first == second);
  // What is stored is what is computed with, so a quantizer fed with its own output loses nothing either.
  CHECK(bitpq::relative_weight_error<T>({first.data(), s.rows, s.cols}, once) == 0);
  CHECK(bitpq::relative_weight_error<T>({w.data(), s.rows, s.cols}, once) < 1);
}

}  // namespace

TEMPLATE_TEST_CASE("coding decoded weights changes nothing", "", float, double) {
  using T = TestType;
  for (const layer_sizes& s : all_layers())
    for (const codeword_type storage : storages<T>())
      for (const auto scope : {codebook_scope::layer, codebook_scope::column_groups, codebook_scope::position})
        for (const auto metric : {pq_metric::weights, pq_metric::gram}) {
          INFO(s.rows << " x " << s.cols << " in blocks of " << s.block_size << ", " << to_string(storage) << ", scope "
                      << static_cast<int>(scope) << ", metric " << static_cast<int>(metric));
          pq_params params;
          params.block_size = s.block_size;
          params.codewords = s.codewords;
          params.limit = bitpq::cluster_limit::points;
          params.storage = storage;
          params.scope = scope;
          params.metric = metric;
          params.max_iterations = 6;
          const std::size_t blocks = bitpq::ceil_div(s.cols, s.block_size);
          if (scope == codebook_scope::column_groups) params.column_groups = blocks >= 2 ? 2 : 1;
          check_idempotent<T>(s, params);
        }
}

TEMPLATE_TEST_CASE("more codewords, smaller blocks and finer storage never hurt much", "", float, double) {
  using T = TestType;
  const std::vector<T> w = bitpq_test::random_values<T>(96 * 24, 5);
  const matrix_view<const T> view(w.data(), 96, 24);
  const auto error = [&](std::size_t block_size, std::size_t codewords, codeword_type storage) {
    pq_params params;
    params.block_size = block_size;
    params.codewords = codewords;
    params.storage = storage;
    params.limit = bitpq::cluster_limit::points;
    params.metric = pq_metric::weights;
    return bitpq::compress<T>(layer_geometry::linear(96, 24), view, nullptr, params).report.weight_error;
  };
  double previous = 1;
  for (const std::size_t codewords : std::vector<std::size_t>{2, 4, 8, 16, 32, 64, 128, 256}) {
    const double now = error(4, codewords, codeword_type::f32);
    CHECK(now < previous);
    previous = now;
  }
  previous = 0;
  for (const std::size_t block_size : std::vector<std::size_t>{1, 2, 4, 8, 24}) {
    const double now = error(block_size, 32, codeword_type::f32);
    CHECK(now > previous);
    previous = now;
  }
  const double exact = error(4, 64, codeword_type::f32);
  CHECK(error(4, 64, codeword_type::f16) == Approx(exact).epsilon(1e-3));
  CHECK(error(4, 64, codeword_type::i8) == Approx(exact).epsilon(1e-2));
}
