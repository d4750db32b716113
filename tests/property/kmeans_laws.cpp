// SPDX-License-Identifier: Apache-2.0

// What holds for every clustering, over a spread of sizes.

#include "support/catch.hpp"
#include "support/kmeans_checks.hpp"

using bitpq::kmeans;
using bitpq::kmeans_params;
using bitpq::seeding_method;
using bitpq_test::rows_of;

namespace {

struct sizes {
  std::size_t n, d, clusters;
};

const std::vector<sizes>& all_sizes() {
  static const std::vector<sizes> table{
      {1, 1, 1},     {2, 1, 2},     {7, 1, 3},    {50, 1, 50},   {300, 2, 5},    {1023, 3, 16}, {1024, 4, 17},
      {1025, 5, 33}, {500, 7, 100}, {700, 8, 64}, {4097, 9, 31}, {300, 15, 8},   {300, 16, 9},  {300, 17, 7},
      {400, 18, 40}, {200, 31, 12}, {200, 32, 3}, {200, 33, 65}, {5000, 3, 256}, {300, 63, 20}, {300, 64, 257}};
  return table;
}

/// Random numbers without structure, some of them repeated, with weights of which some are zero.
template <class T>
struct problem {
  std::vector<T> points, weights;
  std::size_t d;
};

template <class T>
problem<T> make_problem(const sizes& s, std::uint64_t seed, bool weighted) {
  problem<T> made{bitpq_test::random_values<T>(s.n * s.d, seed), {}, s.d};
  for (std::size_t p = 5; p < s.n; p += 5)
    std::copy_n(made.points.begin() + static_cast<std::ptrdiff_t>((p - 5) * s.d), s.d,
                made.points.begin() + static_cast<std::ptrdiff_t>(p * s.d));
  if (weighted)
    for (std::size_t p = 0; p < s.n; ++p) made.weights.push_back(static_cast<T>((p + 1) % 4));
  return made;
}

}  // namespace

TEMPLATE_TEST_CASE("objective, codes and sizes of a clustering agree with its codewords", "", float, double) {
  using T = TestType;
  const double eps = static_cast<double>(std::numeric_limits<T>::epsilon());
  for (const sizes& s : all_sizes())
    for (const bool weighted : {false, true}) {
      INFO(s.n << " points of " << s.d << ", " << s.clusters << " clusters" << (weighted ? ", weighted" : ""));
      const problem<T> p = make_problem<T>(s, s.n + s.d, weighted);
      kmeans_params params;
      params.clusters = s.clusters;
      params.max_iterations = 8;
      const auto result = kmeans<T>(rows_of(p.points, s.d), p.weights, params);
      REQUIRE(result.clusters == std::min(s.clusters, s.n));
      REQUIRE((result.codewords.size() == result.clusters * s.d && result.codes.size() == s.n));
      REQUIRE(*std::max_element(result.codes.begin(), result.codes.end()) < result.clusters);
      CHECK(result.objective ==
            Approx(bitpq_test::objective_of(rows_of(p.points, s.d), p.weights, result)).epsilon(1e-12).margin(1e-20));
      CHECK(bitpq_test::worst_detour(rows_of(p.points, s.d), result) <= eps * static_cast<double>(s.d + 4));
      CHECK(result.repaired <= result.iterations * result.clusters);
    }
}

TEMPLATE_TEST_CASE("the objective never rises, repairs included", "", float, double) {
  using T = TestType;
  const double slack = std::is_same_v<T, float> ? 1e-6 : 1e-13;
  std::size_t repaired = 0, steps = 0;
  for (const sizes& s : all_sizes())
    for (const auto method : bitpq_test::drawing_methods)
      for (const bool crowded : {false, true}) {
        INFO(s.n << " points of " << s.d << ", " << s.clusters << " clusters" << (crowded ? ", crowded" : ""));
        problem<T> p = make_problem<T>(s, 3 * s.n + s.d, true);
        // Most points in one place: random seeds coincide there, and their clusters are empty at first.
        for (std::size_t i = 0; crowded && i < p.points.size() * 9 / 10; ++i) p.points[i] = T{0.25};
        kmeans_params params;
        params.clusters = s.clusters;
        params.seeding = method;
        params.max_iterations = 15;
        params.tolerance = 0;
        double scale = 0, previous = std::numeric_limits<double>::infinity();
        for (const T v : p.points) scale += 3 * static_cast<double>(v) * static_cast<double>(v);
        params.progress = [&](const bitpq::progress& report) {
          CHECK(report.objective <= previous + slack * scale);
          previous = report.objective;
          ++steps;
          return true;
        };
        repaired += kmeans<T>(rows_of(p.points, s.d), p.weights, params).repaired;
      }
  CHECK(repaired > 100);
  CHECK(steps > 500);
}

TEMPLATE_TEST_CASE("an integer weight counts as that many points", "", float, double) {
  using T = TestType;
  const double slack = std::is_same_v<T, float> ? 1e-5 : 1e-12;
  for (const std::size_t d : {std::size_t{1}, std::size_t{3}, std::size_t{16}})
    for (std::uint64_t seed = 0; seed < 5; ++seed) {
      const std::vector<T> points = bitpq_test::blobs<T>(90, d, 6, seed);
      std::vector<T> weights, repeated;
      for (std::size_t p = 0; p < 90; ++p) {
        weights.push_back(static_cast<T>(p % 5));
        for (std::size_t copy = 0; copy < p % 5; ++copy)
          repeated.insert(repeated.end(), points.begin() + static_cast<std::ptrdiff_t>(p * d),
                          points.begin() + static_cast<std::ptrdiff_t>((p + 1) * d));
      }
      kmeans_params params;
      params.clusters = 6;
      params.tolerance = 0;
      params.seed = seed;
      const auto by_weight = kmeans<T>(rows_of(points, d), weights, params);
      const auto by_copies = kmeans<T>(rows_of(repeated, d), {}, params);
      CHECK(by_weight.objective == Approx(by_copies.objective).epsilon(slack));
      CHECK(bitpq_test::difference(bitpq_test::sorted_codewords(by_weight), bitpq_test::sorted_codewords(by_copies)) <
            10 * slack);
    }
  // One weight for all only scales the objective; a power of two scales it exactly.
  const std::vector<T> points = bitpq_test::random_values<T>(2000 * 3, 77), fours(2000, T{4});
  kmeans_params params;
  params.clusters = 20;
  auto weighted = kmeans<T>(rows_of(points, 3), fours, params);
  weighted.objective /= 4;
  CHECK(bitpq_test::same_bits(weighted, kmeans<T>(rows_of(points, 3), {}, params)));
}
