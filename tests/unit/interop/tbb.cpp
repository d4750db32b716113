// SPDX-License-Identifier: Apache-2.0

#include <bitpq/interop/tbb.hpp>

#include "support/executor_checks.hpp"
#include "support/expect_error.hpp"

using bitpq::tbb_executor;

static_assert(bitpq::executor<tbb_executor>);

TEST_CASE("a TBB arena runs each task once and hands an exception back") {
  for (const int threads : {1, 2, 3, 7}) {
    INFO(threads << " threads");
    tbb_executor exec(threads);
    CHECK(exec.concurrency() == static_cast<std::size_t>(threads));
    bitpq_test::check_tasks(exec);
    bitpq_test::check_exceptions(exec);
  }
  CHECK(tbb_executor().concurrency() >= 1);
}

TEST_CASE("results by TBB are those of one thread") {
  for (const int threads : {2, 3, 7}) {
    tbb_executor exec(threads);
    bitpq_test::check_same_bits(exec);
  }
}

TEST_CASE("a TBB executor works inside a task of another") {
  tbb_executor outer(2), inner(3);
  std::atomic<int> tasks{0}, strays{0};
  outer.bulk(4, [&](std::size_t, std::size_t) {
    inner.bulk(10, [&](std::size_t worker, std::size_t) { ++(worker < 3 ? tasks : strays); });
  });
  CHECK((tasks == 40 && strays == 0));
}

TEST_CASE("a TBB executor needs a thread") {
  bitpq_test::expect_error(bitpq::errc::bad_params, "tbb_executor of 0 threads", [] { tbb_executor none(0); });
  bitpq_test::expect_error(bitpq::errc::bad_params, "tbb_executor of -1 threads", [] { tbb_executor none(-1); });
}
