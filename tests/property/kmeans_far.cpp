// SPDX-License-Identifier: Apache-2.0

// Where the origin lies and what the unit is must not matter to a clustering.

#include "support/catch.hpp"
#include "support/kmeans_checks.hpp"

using bitpq::kmeans;
using bitpq_test::rows_of;

namespace {

/// Runs k-means and checks that the objective only falls and that each point has its nearest codeword.
template <class T>
bitpq::kmeans_result<T> checked(const std::vector<T>& points, std::size_t d, double slack) {
  bitpq::kmeans_params params;
  params.clusters = 32;
  params.tolerance = 0;
  params.max_iterations = 20;
  double previous = std::numeric_limits<double>::infinity();
  params.progress = [&](const bitpq::progress& report) {
    CHECK(report.objective <= previous * (1 + slack));
    previous = report.objective;
    return true;
  };
  auto result = kmeans<T>(rows_of(points, d), {}, params);
  double least = 0;
  for (std::size_t p = 0; p < points.size() / d; ++p) {
    double nearest = std::numeric_limits<double>::infinity();
    for (std::size_t k = 0; k < result.clusters; ++k)
      nearest = std::min(nearest, bitpq_test::distance2(rows_of(points, d), p, result.codewords.data() + k * d));
    least += nearest;
  }
  CHECK(result.objective <= least * (1 + slack));
  return result;
}

}  // namespace

TEMPLATE_TEST_CASE("a common offset does not blur the distances", "", float, double) {
  using T = TestType;
  for (const double offset : {10.0, 1e3, 1e4, std::is_same_v<T, float> ? 1e4 : 1e8}) {
    INFO("offset " << offset);
    std::vector<T> points = bitpq_test::random_values<T>(2000 * 4, 1);
    for (T& v : points) v = static_cast<T>(0.1 * static_cast<double>(v) + offset);
    checked<T>(points, 4, 1e-5);
  }
}

TEMPLATE_TEST_CASE("a power of two as the unit changes no code", "", float, double) {
  using T = TestType;
  const std::vector<T> points = bitpq_test::random_values<T>(1500 * 3, 2);
  const auto want = checked<T>(points, 3, 1e-6);
  const int most = std::is_same_v<T, float> ? 100 : 480;  // squares are summed in double
  for (const int exponent : {-most, -70, 70, most}) {
    INFO("2^" << exponent);
    std::vector<T> scaled = points;
    for (T& v : scaled) v = std::ldexp(v, exponent);
    CHECK(checked<T>(scaled, 3, 1e-6).codes == want.codes);
  }
}
