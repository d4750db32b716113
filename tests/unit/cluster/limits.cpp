// SPDX-License-Identifier: Apache-2.0

#include "support/catch.hpp"
#include "support/kmeans_checks.hpp"

using bitpq::cluster_limit;
using bitpq::limit_clusters;

TEST_CASE("the paper's limit is the largest power of two below a quarter of the points") {
  struct row {
    std::size_t points, most;
  };
  constexpr std::size_t plenty = 65536;
  for (const auto& [points, most] : std::vector<row>{
           {1, 1},      {2, 1},       {4, 1},       {5, 1},       {8, 1},          {9, 2},          {16, 2},
           {17, 4},     {32, 4},      {33, 8},      {64, 8},      {65, 16},        {100, 16},       {256, 32},
           {257, 64},   {512, 64},    {513, 128},   {1024, 128},  {1025, 256},     {1026, 256},     {2304, 512},
           {4096, 512}, {4097, 1024}, {8192, 1024}, {8193, 2048}, {262144, 32768}, {262145, 65536}, {1000000, 65536}}) {
    INFO(points << " points");
    CHECK(limit_clusters(plenty, points, cluster_limit::paper) == most);
    CHECK(limit_clusters(3, points, cluster_limit::paper) == std::min<std::size_t>(3, most));
  }
  // The definition, word for word, on a run of sizes.
  for (std::size_t points = 5; points < 3000; ++points) {
    const std::size_t most = limit_clusters(plenty, points, cluster_limit::paper);
    REQUIRE((most & (most - 1)) == 0);
    REQUIRE(4 * most < points);
    REQUIRE(4 * 2 * most >= points);
  }
}

TEST_CASE("the other limits bound by the points, or refuse") {
  CHECK(limit_clusters(256, 1000, cluster_limit::points) == 256);
  CHECK(limit_clusters(256, 256, cluster_limit::points) == 256);
  CHECK(limit_clusters(256, 255, cluster_limit::points) == 255);
  CHECK(limit_clusters(256, 1, cluster_limit::points) == 1);
  CHECK(limit_clusters(256, 256, cluster_limit::strict) == 256);
  CHECK_THROWS_AS(limit_clusters(256, 255, cluster_limit::strict), bitpq::error);
}

TEST_CASE("k-means uses as many clusters as its limit allows") {
  const std::vector<float> points = bitpq_test::blobs<float>(40, 2, 10, 1);
  bitpq::kmeans_params params;
  params.clusters = 64;
  for (const auto& [limit, clusters] :
       std::vector<std::pair<cluster_limit, std::size_t>>{{cluster_limit::points, 40}, {cluster_limit::paper, 8}}) {
    params.limit = limit;
    const auto result = bitpq::kmeans<float>(bitpq_test::rows_of(points, 2), {}, params);
    CHECK(result.clusters == clusters);
    CHECK(result.codewords.size() == clusters * 2);
    CHECK(*std::max_element(result.codes.begin(), result.codes.end()) < clusters);
  }
}
