// SPDX-License-Identifier: Apache-2.0

// When k-means stops, and what it says on the way.

#include "support/catch.hpp"
#include "support/kmeans_checks.hpp"

using bitpq::kmeans;
using bitpq::kmeans_params;
using bitpq::stop_reason;
using bitpq_test::rows_of;

namespace {

const std::vector<float>& noise() {
  static const std::vector<float> points = bitpq_test::random_values<float>(3000 * 4, 21);
  return points;
}

/// Runs k-means on noise, where it converges slowly, and keeps the reports.
bitpq::kmeans_result<float> run(kmeans_params params, std::vector<bitpq::progress>& reports,
                                std::size_t stop_at = 999) {
  params.clusters = 32;
  params.progress = [&reports, stop_at](const bitpq::progress& report) {
    CHECK(report.stage == "k-means");
    reports.push_back(report);
    return report.done != stop_at;
  };
  return kmeans<float>(rows_of(noise(), 4), {}, params);
}

}  // namespace

TEST_CASE("k-means reports each iteration with its objective") {
  kmeans_params params;
  params.tolerance = 0;
  params.max_iterations = 12;
  std::vector<bitpq::progress> reports;
  const auto result = run(params, reports);
  CHECK(result.iterations == 12);
  CHECK(result.stopped == stop_reason::max_iterations);
  REQUIRE(reports.size() == 13);  // before the first update, and after each
  for (std::size_t i = 0; i < reports.size(); ++i) CHECK((reports[i].done == i && reports[i].total == 12));
  CHECK(reports.back().objective == result.objective);
  CHECK(reports.front().objective > 1.2 * result.objective);
}

TEST_CASE("k-means stops at the first iteration that gains less than the tolerance") {
  for (const double tolerance : {0.1, 0.01, 0.001}) {
    kmeans_params params;
    params.tolerance = tolerance;
    params.max_iterations = 500;
    std::vector<bitpq::progress> reports;
    const auto result = run(params, reports);
    INFO("tolerance " << tolerance << ", " << reports.size() << " reports");
    CHECK(result.stopped == stop_reason::converged);
    REQUIRE(reports.size() >= 2);
    for (std::size_t i = 1; i < reports.size(); ++i) {
      const double gain = 1 - reports[i].objective / reports[i - 1].objective;
      CHECK((gain > tolerance) == (i + 1 < reports.size()));
    }
  }
}

TEST_CASE("a cancelled k-means hands back what it has") {
  kmeans_params params;
  params.tolerance = 0;
  std::vector<bitpq::progress> reports;
  for (const std::size_t stop_at : {std::size_t{0}, std::size_t{1}, std::size_t{3}}) {
    reports.clear();
    const auto result = run(params, reports, stop_at);
    CHECK(result.stopped == stop_reason::cancelled);
    CHECK((result.iterations == stop_at && reports.size() == stop_at + 1));
    CHECK(result.objective == reports.back().objective);
    CHECK(result.objective == Approx(bitpq_test::objective_of(rows_of(noise(), 4), {}, result)).epsilon(1e-12));
    kmeans_params bounded = params;
    bounded.clusters = 32;
    bounded.max_iterations = std::max<std::size_t>(stop_at, 1);
    if (stop_at > 0) {
      const auto stopped = kmeans<float>(rows_of(noise(), 4), {}, bounded);
      CHECK((stopped.codes == result.codes && stopped.objective == result.objective));
    }
  }
}

TEST_CASE("an exception of the callback passes through") {
  kmeans_params params;
  params.progress = [](const bitpq::progress&) -> bool { throw std::runtime_error("from the host"); };
  CHECK_THROWS_WITH(kmeans<float>(rows_of(noise(), 4), {}, params), "from the host");
}

TEST_CASE("stop reasons have names") {
  CHECK(std::string(to_string(stop_reason::converged)) == "converged");
  CHECK(std::string(to_string(stop_reason::max_iterations)) == "max_iterations");
  CHECK(std::string(to_string(stop_reason::cancelled)) == "cancelled");
}
