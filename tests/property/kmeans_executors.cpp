// SPDX-License-Identifier: Apache-2.0

// Same seed, same bits, whoever runs the tasks.

#include "support/catch.hpp"
#include "support/kmeans_checks.hpp"
#include "support/thread_executor.hpp"

#include <Eigen/Core>

using bitpq::kmeans;
using bitpq::kmeans_params;
using bitpq_test::rows_of;

namespace {

template <class T>
void check_executors(std::size_t n, std::size_t d, const kmeans_params& params, const bitpq::whitening& white) {
  const std::vector<T> points = bitpq_test::random_values<T>(n * d, n), weights = [n] {
    std::vector<T> w = bitpq_test::random_values<T>(n, 5);
    for (T& v : w) v = std::abs(v);
    return w;
  }();
  const auto serial = kmeans<T>(rows_of(points, d), weights, params, {}, white);
  CHECK(bitpq_test::same_bits(serial, kmeans<T>(rows_of(points, d), weights, params, {}, white)));
  for (const std::size_t workers : {std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{7}}) {
    INFO(n << " points of " << d << ", " << workers << " workers");
    const bitpq_test::thread_executor threads(workers);
    CHECK(bitpq_test::same_bits(serial, kmeans<T>(rows_of(points, d), weights, params, threads, white)));
  }
  CHECK(bitpq_test::same_bits(serial,
                              kmeans<T>(rows_of(points, d), weights, params, bitpq_test::backward_executor{}, white)));
  kmeans_params other = params;
  ++other.seed;
  CHECK(!bitpq_test::same_bits(serial, kmeans<T>(rows_of(points, d), weights, other, {}, white)));
}

}  // namespace

TEMPLATE_TEST_CASE("k-means gives the same bits on any executor", "", float, double) {
  kmeans_params params;
  params.max_iterations = 4;
  params.tolerance = 0;
  const Eigen::MatrixXd gram = Eigen::MatrixXd::Identity(3, 3) + Eigen::MatrixXd::Constant(3, 3, 2.0);
  params.clusters = 24;
  check_executors<TestType>(9001, 3, params, bitpq::whitening(gram));
  params.clusters = 60;
  check_executors<TestType>(4500, 9, params, {});
  params.seeding = bitpq::seeding_method::random;
  check_executors<TestType>(12289, 2, params, {});
  params.seeding = bitpq::seeding_method::kmeans_parallel;
  params.annealing = 0.5;
  params.restarts = 1;
  check_executors<TestType>(5001, 4, params, {});
  // So many codewords that few chunks have sums of their own, and assignment is cut apart from them.
  params = {};
  params.clusters = 1200;
  params.max_iterations = 2;
  params.tolerance = 0;
  check_executors<TestType>(2600, 5, params, {});
}

TEST_CASE("an error inside a task reaches the caller") {
  struct failing_executor {
    [[nodiscard]] static std::size_t concurrency() noexcept { return 2; }
    static void bulk(std::size_t, bitpq::task_fn) { throw std::runtime_error("no thread could be had"); }
  };
  const std::vector<float> points = bitpq_test::random_values<float>(9000, 1);
  CHECK_THROWS_WITH(kmeans<float>(rows_of(points, 1), {}, {}, failing_executor{}), "no thread could be had");
}
