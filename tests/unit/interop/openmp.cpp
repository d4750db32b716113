// SPDX-License-Identifier: Apache-2.0

#include <bitpq/interop/openmp.hpp>

#include "support/executor_checks.hpp"
#include "support/expect_error.hpp"

using bitpq::openmp_executor;

static_assert(bitpq::executor<openmp_executor>);
static_assert(bitpq::executor<const openmp_executor>);

TEST_CASE("OpenMP's threads run each task once and hand an exception back") {
  for (const int threads : {1, 2, 3, 7}) {
    INFO(threads << " threads");
    openmp_executor exec(threads);
    CHECK(exec.concurrency() == static_cast<std::size_t>(threads));
    bitpq_test::check_tasks(exec);
    bitpq_test::check_exceptions(exec);
  }
  CHECK(openmp_executor().concurrency() == static_cast<std::size_t>(omp_get_max_threads()));
}

TEST_CASE("OpenMP's threads are really used") {
  std::atomic<std::size_t> team{0};
  openmp_executor exec(3);
  exec.bulk(3, [&](std::size_t, std::size_t) { team = static_cast<std::size_t>(omp_get_num_threads()); });
  CHECK(team == 3);
}

TEST_CASE("results by OpenMP are those of one thread") {
  for (const int threads : {2, 3, 7}) bitpq_test::check_same_bits(openmp_executor(threads));
}

TEST_CASE("an OpenMP executor works inside a parallel region of the host") {
  std::atomic<int> right{0};
#pragma omp parallel num_threads(2)
  {
    std::atomic<int> tasks{0};
    openmp_executor exec(3);
    exec.bulk(20, [&](std::size_t worker, std::size_t) { tasks += worker < 3 ? 1 : 100; });
    if (tasks == 20) ++right;
  }
  CHECK(right == 2);
}

TEST_CASE("an OpenMP executor needs a thread") {
  bitpq_test::expect_error(bitpq::errc::bad_params, "openmp_executor of 0 threads", [] { openmp_executor none(0); });
  bitpq_test::expect_error(bitpq::errc::bad_params, "openmp_executor of -2 threads", [] { openmp_executor none(-2); });
}
