// SPDX-License-Identifier: Apache-2.0
// What cannot run tasks is refused where it is passed, not deep inside a call.
// expect: executor

#include <bitpq/core/executor.hpp>

struct half_an_executor {
  [[nodiscard]] std::size_t concurrency() const noexcept { return 1; }
#ifdef BITPQ_COMPILE_FAIL_FIXED
  void bulk(std::size_t n, bitpq::task_fn f) {
    for (std::size_t task = 0; task < n; ++task) f(0, task);
  }
#endif
};

std::size_t use(half_an_executor& e) { return bitpq::executor_ref(e).concurrency(); }
