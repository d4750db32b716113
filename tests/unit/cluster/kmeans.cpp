// SPDX-License-Identifier: Apache-2.0

#include "support/catch.hpp"
#include "support/guarded_array.hpp"
#include "support/kmeans_checks.hpp"

#include <Eigen/Core>

#include <numeric>
#include <set>

using bitpq::kmeans;
using bitpq::kmeans_params;
using bitpq::matrix_view;
using bitpq::seeding_method;
using bitpq::stop_reason;
using bitpq_test::rows_of;

namespace {

kmeans_params exact(std::size_t clusters) {
  kmeans_params params;
  params.clusters = clusters;
  params.tolerance = 0;
  params.max_iterations = 200;
  return params;
}

}  // namespace

TEMPLATE_TEST_CASE("k-means finds the solutions known by hand", "", float, double) {
  using T = TestType;
  const std::vector<T> line{0, 1, 10, 11};
  for (const auto method : bitpq_test::drawing_methods)
    for (std::uint64_t seed = 0; seed < 12; ++seed) {
      kmeans_params params = exact(2);
      params.seeding = method;
      params.seed = seed;
      const auto result = kmeans<T>(rows_of(line, 1), {}, params);
      REQUIRE(bitpq_test::sorted_codewords(result) == std::vector<std::vector<double>>{{0.5}, {10.5}});
      REQUIRE(result.objective == 1);
      REQUIRE((result.codes[0] == result.codes[1] && result.codes[2] == result.codes[3]));
      REQUIRE(result.codes[0] != result.codes[2]);
      REQUIRE(result.stopped == stop_reason::converged);
    }
  const std::vector<T> weighted{0, 0, 4, 8}, weights{3, 1};  // two points of the plane
  const auto one = kmeans<T>(rows_of(weighted, 2), weights, exact(1));
  CHECK((one.codewords[0] == 1 && one.codewords[1] == 2));
  CHECK(one.objective == 60);  // 3 (1 + 4) + (9 + 36)
}

TEMPLATE_TEST_CASE("one cluster is the mean, a cluster per point is exact", "", float, double) {
  using T = TestType;
  const std::vector<T> points = bitpq_test::random_integers<T>(32 * 3, 3, 50);
  const auto one = kmeans<T>(rows_of(points, 3), {}, exact(1));
  double scatter = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    double sum = 0, squares = 0;
    for (std::size_t p = 0; p < 32; ++p) {
      const auto v = static_cast<double>(points[p * 3 + i]);
      sum += v;
      squares += v * v;
    }
    CHECK(static_cast<double>(one.codewords[i]) == sum / 32);  // a multiple of 1 / 32: exact
    scatter += squares - sum * sum / 32;
  }
  CHECK(one.objective == Approx(scatter).epsilon(1e-12));
  for (const auto method : bitpq_test::drawing_methods) {
    kmeans_params params = exact(32);
    params.seeding = method;
    const auto all = kmeans<T>(rows_of(points, 3), {}, params);
    CHECK((all.objective == 0 && all.repaired == 0 && all.clusters == 32));
    CHECK(std::set<std::uint16_t>(all.codes.begin(), all.codes.end()).size() == 32);
  }
}

TEMPLATE_TEST_CASE("fewer distinct points than clusters end in an exact solution with spares", "", float, double) {
  using T = TestType;
  const T places[3][2] = {{0, 0}, {5, 1}, {-3, 7}};
  std::vector<T> points;
  for (std::size_t p = 0; p < 100; ++p) points.insert(points.end(), places[p % 3], places[p % 3] + 2);
  const std::vector<T> equal(200, T{2.5});
  for (const auto method : bitpq_test::drawing_methods)
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      kmeans_params params = exact(8);
      params.seeding = method;
      params.seed = seed;
      const auto result = kmeans<T>(rows_of(points, 2), {}, params);
      REQUIRE(result.objective == 0);
      REQUIRE(result.stopped == stop_reason::converged);
      REQUIRE(result.iterations <= 10);
      REQUIRE(result.repaired <= result.iterations * 8);
      const auto same = kmeans<T>(rows_of(equal, 2), {}, params);
      REQUIRE((same.objective == 0 && same.repaired == 0 && same.iterations == 1));
    }
}

TEST_CASE("empty clusters are moved to where they serve, within bounds") {
  // Nearly all points lie on one spot: seeds drawn at random coincide there and all but one stay empty at first.
  std::vector<double> points(2000, 0.0);
  for (std::size_t p = 0; p < 8; ++p) points[p * 250] = 10.0 * static_cast<double>(p + 1);
  kmeans_params params = exact(9);
  params.seeding = seeding_method::random;
  const auto result = kmeans<double>(rows_of(points, 1), {}, params);
  CHECK(result.repaired > 0);
  CHECK(result.objective == 0);
  CHECK(bitpq_test::sorted_codewords(result) ==
        std::vector<std::vector<double>>{{0}, {10}, {20}, {30}, {40}, {50}, {60}, {70}, {80}});
}

TEST_CASE("points are read through any strides") {
  const std::vector<float> points = bitpq_test::blobs<float>(120, 5, 6, 11);
  const auto plain = kmeans<float>(rows_of(points, 5), {}, exact(6));
  for (const bitpq_test::layout order : bitpq_test::all_layouts) {
    bitpq_test::guarded_array<float, 2> array({120, 5}, order, points);
    CHECK(bitpq_test::same_bits(kmeans<float>(bitpq_test::view(array), {}, exact(6)), plain));
    CHECK((array.intact() && array.values() == points));
  }
  const Eigen::Map<const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>> map(points.data(), 120,
                                                                                                    5);
  const Eigen::MatrixXf column_major = map;
  Eigen::MatrixXf larger = Eigen::MatrixXf::Constant(130, 9, 77.0F);
  larger.block(4, 2, 120, 5) = map;
  const Eigen::MatrixXf transposed = map.transpose();
  CHECK(bitpq_test::same_bits(kmeans<float>(map, {}, exact(6)), plain));
  CHECK(bitpq_test::same_bits(kmeans<float>(column_major, {}, exact(6)), plain));
  CHECK(bitpq_test::same_bits(kmeans<float>(larger.block(4, 2, 120, 5), {}, exact(6)), plain));
  CHECK(bitpq_test::same_bits(kmeans<float>(matrix_view<const float>(transposed).transposed(), {}, exact(6)), plain));
}

TEMPLATE_TEST_CASE("points without weight change nothing", "", float, double) {
  using T = TestType;
  const std::vector<T> points = bitpq_test::blobs<T>(60, 2, 4, 5);
  const auto expected = bitpq_test::sorted_codewords(kmeans<T>(rows_of(points, 2), {}, exact(4)));
  std::vector<T> with_others = points, weights(60, T{1});
  for (std::size_t p = 0; p < 30; ++p) {
    with_others.insert(with_others.end(), {T{500} + static_cast<T>(p), T{-300}});
    weights.push_back(0);
  }
  for (const auto method : bitpq_test::drawing_methods)
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      kmeans_params params = exact(4);
      params.seeding = method;
      params.seed = seed;
      const auto result = kmeans<T>(rows_of(with_others, 2), weights, params);
      for (const std::vector<double>& word : bitpq_test::sorted_codewords(result)) REQUIRE(word[0] < 400);
      REQUIRE(result.objective == Approx(bitpq_test::objective_of(rows_of(with_others, 2), weights, result)));
      // Random seeds may settle elsewhere; the seeds of k-means++ fall into each of the four places.
      if (method != seeding_method::random)
        REQUIRE(bitpq_test::difference(bitpq_test::sorted_codewords(result), expected) < 1e-5);
    }
}
