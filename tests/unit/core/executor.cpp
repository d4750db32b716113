// SPDX-License-Identifier: Apache-2.0

#include "support/catch.hpp"
#include "support/thread_executor.hpp"

#include <bitpq/core/error.hpp>
#include <bitpq/core/executor.hpp>

#include <stdexcept>

using bitpq::executor_ref;

namespace {
struct no_workers {
  [[nodiscard]] static std::size_t concurrency() noexcept { return 0; }
  static void bulk(std::size_t n, bitpq::task_fn f) { bitpq::serial_executor::bulk(n, f); }
};

struct counting_executor {
  int calls = 0;
  [[nodiscard]] static std::size_t concurrency() noexcept { return 7; }
  void bulk(std::size_t n, bitpq::task_fn f) {
    ++calls;
    bitpq::serial_executor::bulk(n, f);
  }
};
}  // namespace

static_assert(bitpq::executor<bitpq::serial_executor>);
static_assert(bitpq::executor<bitpq_test::thread_executor>);
static_assert(bitpq::executor<const bitpq_test::thread_executor>);
static_assert(!bitpq::executor<int>);

TEST_CASE("the default executor runs every task in order in the calling thread") {
  const executor_ref exec;
  CHECK(exec.concurrency() == 1);
  std::vector<std::size_t> order;
  const std::thread::id here = std::this_thread::get_id();
  exec.bulk(5, [&](std::size_t worker, std::size_t task) {
    REQUIRE(worker == 0);
    REQUIRE(std::this_thread::get_id() == here);
    order.push_back(task);
  });
  CHECK(order == std::vector<std::size_t>{0, 1, 2, 3, 4});
  exec.bulk(0, [](std::size_t, std::size_t) { FAIL("no task was asked for"); });
}

TEST_CASE("an executor reference forwards to the executor it names") {
  counting_executor counting;
  const executor_ref exec(counting);
  CHECK(exec.concurrency() == 7);
  int tasks = 0;
  const auto task = [&tasks](std::size_t, std::size_t) { ++tasks; };
  exec.bulk(3, task);
  CHECK((tasks == 3 && counting.calls == 1));
  exec.bulk(1, task);  // one task is not worth a thread
  exec.bulk(0, task);
  CHECK((tasks == 4 && counting.calls == 1));
  const executor_ref copy = exec;
  copy.bulk(2, task);
  CHECK((tasks == 6 && counting.calls == 2));
  CHECK(executor_ref(no_workers{}).concurrency() == 1);
}

TEST_CASE("threads run each task once and hand an exception back") {
  const bitpq_test::thread_executor threads(4);
  std::vector<std::atomic<int>> runs(1000);
  std::atomic<bool> worker_in_range{true};
  executor_ref(threads).bulk(runs.size(), [&](std::size_t worker, std::size_t task) {
    if (worker >= 4) worker_in_range = false;
    ++runs[task];
  });
  int once = 0;
  for (const std::atomic<int>& r : runs) once += r == 1 ? 1 : 0;
  CHECK((once == 1000 && worker_in_range));
  const auto failing = [](std::size_t, std::size_t task) {
    if (task == 17) throw std::runtime_error("task 17");
  };
  CHECK_THROWS_WITH(executor_ref(threads).bulk(100, failing), "task 17");
  CHECK_THROWS_WITH(executor_ref().bulk(100, failing), "task 17");
}
