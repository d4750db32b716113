// SPDX-License-Identifier: Apache-2.0
// How many workers there are is asked where nothing can be undone any more: concurrency() must be noexcept.
// expect: executor

#include <bitpq/core/executor.hpp>

struct pool {
#ifdef BITPQ_COMPILE_FAIL_FIXED
  [[nodiscard]] std::size_t concurrency() const noexcept { return 1; }
#else
  [[nodiscard]] std::size_t concurrency() const { return 1; }
#endif
  void bulk(std::size_t n, bitpq::task_fn f) { bitpq::serial_executor::bulk(n, f); }
};

std::size_t use(pool& p) { return bitpq::executor_ref(p).concurrency(); }
