// SPDX-License-Identifier: Apache-2.0

#include "support/catch.hpp"
#include "support/kmeans_checks.hpp"

#include <map>
#include <numeric>
#include <set>

using bitpq::kmeans_params;
using bitpq::seeding_method;
using bitpq_test::only_seeded;
using bitpq_test::rows_of;

namespace {

kmeans_params seeding(seeding_method method, std::size_t clusters, std::uint64_t seed) {
  kmeans_params params;
  params.seeding = method;
  params.clusters = clusters;
  params.seed = seed;
  return params;
}

/// The seeds among the points 0, 1, 2, ... of the line.
std::vector<std::size_t> seeds_on_line(std::size_t n, const kmeans_params& params) {
  std::vector<double> line(n);
  std::iota(line.begin(), line.end(), 0.0);
  const auto result = only_seeded<double>(rows_of(line, 1), {}, params);
  return {result.codewords.begin(), result.codewords.end()};
}

/// `expected` of `trials` within five standard deviations.
void check_share(std::size_t hits, std::size_t trials, double expected) {
  const auto n = static_cast<double>(trials);
  INFO(hits << " of " << trials << ", expected a share of " << expected);
  CHECK(std::abs(static_cast<double>(hits) - n * expected) < 5 * std::sqrt(n * expected * (1 - expected)) + 1);
}

}  // namespace

TEST_CASE("all methods seed with distinct points") {
  for (const auto method : bitpq_test::drawing_methods)
    for (std::uint64_t seed = 0; seed < 30; ++seed)
      for (const std::size_t clusters : {std::size_t{1}, std::size_t{2}, std::size_t{7}, std::size_t{20}}) {
        const std::vector<std::size_t> seeds = seeds_on_line(20, seeding(method, clusters, seed));
        REQUIRE(std::set<std::size_t>(seeds.begin(), seeds.end()).size() == clusters);
        REQUIRE(*std::max_element(seeds.begin(), seeds.end()) < 20);
      }
}

TEST_CASE("random seeding draws every point equally often, whatever the others") {
  constexpr std::size_t trials = 3000;
  std::vector<std::size_t> drawn(10);
  std::map<std::pair<std::size_t, std::size_t>, std::size_t> first_two;
  for (std::uint64_t seed = 0; seed < trials; ++seed) {
    const std::vector<std::size_t> seeds = seeds_on_line(10, seeding(seeding_method::random, 3, seed));
    for (const std::size_t s : seeds) ++drawn[s];
    ++first_two[{seeds[0], seeds[1]}];
  }
  for (const std::size_t hits : drawn) check_share(hits, trials, 0.3);
  CHECK(first_two.size() == 90);
  for (const auto& [pair, hits] : first_two) check_share(hits, trials, 1.0 / 90);
}

TEST_CASE("k-means++ draws by weight times squared distance") {
  const std::vector<double> line{0, 1, 3};
  for (const std::vector<double>& weights : {std::vector<double>{}, std::vector<double>{1, 4.5, 0.5}}) {
    std::map<double, std::size_t> firsts;
    std::map<std::pair<double, double>, std::size_t> pairs;
    constexpr std::size_t trials = 6000;
    for (std::uint64_t seed = 0; seed < trials; ++seed) {
      const auto result =
          only_seeded<double>(rows_of(line, 1), weights, seeding(seeding_method::kmeans_plus_plus, 2, seed));
      ++firsts[result.codewords[0]];
      ++pairs[{result.codewords[0], result.codewords[1]}];
    }
    const auto weight = [&](std::size_t p) { return weights.empty() ? 1.0 : weights[p]; };
    for (std::size_t a = 0; a < 3; ++a) {
      double total = 0;
      for (std::size_t b = 0; b < 3; ++b) total += weight(b) * (line[b] - line[a]) * (line[b] - line[a]);
      for (std::size_t b = 0; b < 3; ++b)
        check_share(pairs[{line[a], line[b]}], firsts[line[a]],
                    weight(b) * (line[b] - line[a]) * (line[b] - line[a]) / total);
    }
  }
}

TEST_CASE("k-means++ and k-means|| seed every far cluster") {
  for (const std::size_t n : {std::size_t{400}, std::size_t{9000}}) {  // within a chunk, and over several
    const std::vector<float> points = bitpq_test::blobs<float>(n, 3, 8, 2, 0.001);
    for (std::uint64_t seed = 0; seed < 40; ++seed) {
      const auto method = seed % 2 == 0 ? seeding_method::kmeans_plus_plus : seeding_method::kmeans_parallel;
      const auto result = only_seeded<float>(rows_of(points, 3), {}, seeding(method, 8, seed));
      std::set<long> places;
      for (std::size_t k = 0; k < 8; ++k) places.insert(std::lround(result.codewords[k * 3] / 3));
      REQUIRE(places.size() == 8);
    }
  }
}

TEST_CASE("a seed draws the same points again, another seed others") {
  for (const auto method : bitpq_test::drawing_methods) {
    CHECK(seeds_on_line(500, seeding(method, 20, 1)) == seeds_on_line(500, seeding(method, 20, 1)));
    CHECK(seeds_on_line(500, seeding(method, 20, 1)) != seeds_on_line(500, seeding(method, 20, 2)));
  }
}

TEST_CASE("seeds come from a sample of as many points as were allowed") {
  // Of 6400 points on a line, 2 clusters and 16 points each: one is drawn from each 32nd part.
  std::vector<double> line(6400);
  std::iota(line.begin(), line.end(), 0.0);
  const bitpq::detail::point_set<double> points({line.data(), line.size(), 1}, {}, {});
  const auto sample = bitpq::detail::spread_indices(points, 32, bitpq::random_stream(1));
  REQUIRE(sample.size() == 32);
  for (std::size_t s = 0; s < 32; ++s) CHECK(sample[s] / 200 == s);
  CHECK(bitpq::detail::spread_indices(points, 6400, bitpq::random_stream(1)).size() == 6400);
  // Points without weight are not in it.
  std::vector<double> weights(6400);
  for (std::size_t p = 0; p < 6400; p += 400) weights[p] = 1;
  const bitpq::detail::point_set<double> few({line.data(), line.size(), 1}, weights, {});
  for (const std::size_t most : {std::size_t{5}, std::size_t{16}, std::size_t{99}}) {
    const auto bearing = bitpq::detail::spread_indices(few, most, bitpq::random_stream(2));
    CHECK(bearing.size() == std::min<std::size_t>(most, 16));
    CHECK(std::set<std::size_t>(bearing.begin(), bearing.end()).size() == bearing.size());
    for (const std::size_t p : bearing) CHECK(p % 400 == 0);
  }
}

TEST_CASE("sampled seeds are about as good as seeds from all points") {
  const std::vector<float> points = bitpq_test::random_values<float>(20000 * 3, 4);
  double sums[2][2] = {};
  for (const auto method : {seeding_method::kmeans_plus_plus, seeding_method::kmeans_parallel})
    for (const bool all : {false, true})
      for (std::uint64_t seed = 0; seed < 5; ++seed) {
        kmeans_params params = seeding(method, 50, seed);
        params.seeding_sample = all ? 0 : 20;
        sums[method == seeding_method::kmeans_parallel ? 1 : 0][all ? 1 : 0] +=
            only_seeded<float>(rows_of(points, 3), {}, params).objective;
      }
  for (const auto& [sampled, whole] : sums) CHECK(sampled < 1.15 * whole);
  CHECK(sums[1][1] < 1.05 * sums[0][1]);  // k-means|| is at least on a par
}

TEST_CASE("given codewords are what k-means begins with") {
  kmeans_params params = seeding(seeding_method::given, 2, 0);
  params.initial = {0.5, 9.25};
  const std::vector<float> line{0, 1, 10, 11};
  const auto seeded = only_seeded<float>(rows_of(line, 1), {}, params);
  CHECK((seeded.codewords[0] == 0.5F && seeded.codewords[1] == 9.25F));
  CHECK((seeded.codes == std::vector<std::uint16_t>{0, 0, 1, 1}));
  params.progress = {};
  const auto result = bitpq::kmeans<float>(rows_of(line, 1), {}, params);
  CHECK((result.codewords[0] == 0.5F && result.codewords[1] == 10.5F));
  // In the points' own space, whatever the metric.
  const double gram[] = {4};
  const auto white = bitpq::whitening({gram, 1, 1});
  params.progress = [](const bitpq::progress&) { return false; };
  const auto whitened = bitpq::kmeans<float>(rows_of(line, 1), {}, params, {}, white);
  CHECK(whitened.codewords[1] == Approx(9.25F));
}
