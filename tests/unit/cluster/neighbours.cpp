// SPDX-License-Identifier: Apache-2.0

// Assignment by neighbours must give the codes of a full assignment, to the bit, and give up where it does not pay.

#include "support/catch.hpp"
#include "support/kmeans_checks.hpp"
#include "support/thread_executor.hpp"

#include <bitpq/cluster/neighbours.hpp>

#include <Eigen/Core>

using bitpq_test::rows_of;
using namespace bitpq::detail;

namespace {

/// All points, whitened.
template <class T>
std::vector<T> copy_of(const point_set<T>& points) {
  std::vector<T> values(points.size() * points.d());
  for (std::size_t p = 0; p < points.size(); ++p) points.copy(p, values.data() + p * points.d());
  return values;
}

/// Assigns to `before`, moves the codewords a little, and assigns again both ways.
template <class T>
bool agrees(const point_set<T>& points, const std::vector<T>& before, double step, bitpq::executor_ref exec = {}) {
  const bitpq::kernel_table<T>& kernels = bitpq::kernels<T>();
  const std::size_t d = points.d(), clusters = before.size() / d;
  std::vector<T> after = before;
  const bitpq::random_stream random(5);
  for (std::size_t i = 0; i < after.size(); ++i)
    after[i] += static_cast<T>(step * random.normal(i) * std::abs(static_cast<double>(after[i])));
  const std::vector<T> values = copy_of(points);
  std::vector<std::uint16_t> codes(points.size()), want(points.size());
  codeword_columns<T>(before, d, kernels).nearest(values, codes, {});
  const codeword_columns<T> columns(after, d, kernels);
  columns.nearest(values, want, {});
  neighbour_assignment<T> neighbours(points, clusters, kernels);
  if (!neighbours.run(columns, after, codes, exec)) return false;
  CHECK(codes == want);
  return true;
}

/// The first points as codewords.
template <class T>
std::vector<T> first_of(const point_set<T>& points, std::size_t clusters) {
  std::vector<T> words(clusters * points.d());
  for (std::size_t k = 0; k < clusters; ++k) points.copy(k, words.data() + k * points.d());
  return words;
}

}  // namespace

TEMPLATE_TEST_CASE("neighbours give the codes of a full assignment", "", float, double) {
  using T = TestType;
  for (const std::size_t d : {1U, 2U, 3U, 4U})
    for (const double step : {0.0, 0.001, 0.1}) {
      INFO("d " << d << ", step " << step);
      const std::vector<T> values = bitpq_test::random_values<T>(12000 * d, d);
      const point_set<T> points(rows_of(values, d), {}, {});
      CHECK(agrees(points, first_of(points, 700), step));
      CHECK(agrees(points, first_of(points, 700), step, bitpq_test::backward_executor{}));
    }
}

TEMPLATE_TEST_CASE("neighbours are told apart far from the origin, among equals and at any scale", "", float, double) {
  using T = TestType;
  constexpr std::size_t d = 3;
  const std::vector<T> values = bitpq_test::random_values<T>(12000 * d, 1);
  for (const double scale : {1e-12, 1.0, 1e12})
    for (const double offset : {0.0, 100.0}) {
      std::vector<T> moved = values;
      for (T& v : moved) v = static_cast<T>((static_cast<double>(v) + offset) * scale);
      const point_set<T> points(rows_of(moved, d), {}, {});
      CHECK(agrees(points, first_of(points, 700), 0));
    }
  // A grid: points and codewords coincide, and distances are equal by the thousand.
  std::vector<T> grid = bitpq_test::random_integers<T>(12000 * d, 2, 6);
  const point_set<T> points(rows_of(grid, d), {}, {});
  CHECK(agrees(points, first_of(points, 700), 0));
  // Whitened and strided points are gathered.
  const Eigen::MatrixXd gram = Eigen::MatrixXd::Identity(d, d) + Eigen::MatrixXd::Constant(d, d, 0.5);
  const bitpq::whitening white(gram);
  const point_set<T> whitened({values.data(), 12000, d, 1, 12000}, {}, white);
  CHECK(agrees(whitened, first_of(whitened, 700), 0.01));
}

TEST_CASE("neighbours give up where all codewords are neighbours") {
  const std::vector<float> values = bitpq_test::random_values<float>(12000 * 24, 1);
  const point_set<float> points(rows_of(values, 24), {}, {});
  CHECK(!agrees(points, first_of(points, 600), 0.01));
  // And where there are few codewords, or few points for each.
  const std::vector<float> line = bitpq_test::random_values<float>(20000, 1);
  const point_set<float> many(rows_of(line, 1), {}, {});
  CHECK(!agrees(many, first_of(many, 200), 0.01));
  CHECK(!agrees(many, first_of(many, 1300), 0.01));
}
