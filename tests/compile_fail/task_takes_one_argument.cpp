// SPDX-License-Identifier: Apache-2.0
// A task function is told its worker and its task; one that takes only the task is a mistake worth catching.
// expect: task_fn

#include <bitpq/core/executor.hpp>

void use() {
#ifdef BITPQ_COMPILE_FAIL_FIXED
  auto task = [](std::size_t /*worker*/, std::size_t /*task*/) {};
#else
  auto task = [](std::size_t /*task*/) {};
#endif
  bitpq::serial_executor::bulk(3, task);
}
