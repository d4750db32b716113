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

TEST_CASE("both methods seed with distinct points") {
  for (const auto method : {seeding_method::random, seeding_method::kmeans_plus_plus})
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

TEST_CASE("k-means++ seeds every far cluster") {
  for (const std::size_t n : {std::size_t{400}, std::size_t{9000}}) {  // within a chunk, and over several
    const std::vector<float> points = bitpq_test::blobs<float>(n, 3, 8, 2, 0.001);
    for (std::uint64_t seed = 0; seed < 40; ++seed) {
      const auto result =
          only_seeded<float>(rows_of(points, 3), {}, seeding(seeding_method::kmeans_plus_plus, 8, seed));
      std::set<long> places;
      for (std::size_t k = 0; k < 8; ++k) places.insert(std::lround(result.codewords[k * 3] / 3));
      REQUIRE(places.size() == 8);
    }
  }
}

TEST_CASE("a seed draws the same points again, another seed others") {
  for (const auto method : {seeding_method::random, seeding_method::kmeans_plus_plus}) {
    CHECK(seeds_on_line(500, seeding(method, 20, 1)) == seeds_on_line(500, seeding(method, 20, 1)));
    CHECK(seeds_on_line(500, seeding(method, 20, 1)) != seeds_on_line(500, seeding(method, 20, 2)));
  }
}
