// SPDX-License-Identifier: Apache-2.0
#pragma once

// Runs bitpq's tasks in a task arena of oneTBB (target bitpq::tbb).

#include <bitpq/core/executor.hpp>

#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

namespace bitpq {
inline namespace v1 {

/// An executor over an arena of `threads` threads, by default as many as TBB would use.
class tbb_executor {
 public:
  explicit tbb_executor(int threads = tbb::this_task_arena::max_concurrency()) : arena_(threads) {
    require(threads >= 1, errc::bad_params, "tbb_executor of ", threads, " threads");
    arena_.initialize();
  }

  [[nodiscard]] std::size_t concurrency() const noexcept { return static_cast<std::size_t>(arena_.max_concurrency()); }

  /// TBB itself rethrows the first exception of a task.
  void bulk(std::size_t n, task_fn f) {
    arena_.execute([&] {
      tbb::parallel_for(
          std::size_t{0}, n,
          [&](std::size_t task) { f(static_cast<std::size_t>(tbb::this_task_arena::current_thread_index()), task); },
          tbb::simple_partitioner{});
    });
  }

 private:
  tbb::task_arena arena_;
};

}  // namespace v1
}  // namespace bitpq
