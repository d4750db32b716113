// SPDX-License-Identifier: Apache-2.0
#pragma once

// Runs bitpq's tasks on the threads that LibTorch's own operators run on.

#include <bitpq/core/executor.hpp>

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>

namespace bitpq {
inline namespace v1 {
namespace torch {

/// An executor over at::parallel_for: as many threads as at::set_num_threads says. A call from within another parallel
/// region, where LibTorch starts no threads, runs in the calling one.
struct at_executor {
  [[nodiscard]] static std::size_t concurrency() noexcept {
    return static_cast<std::size_t>((std::max)(1, at::get_num_threads()));
  }

  /// Tasks are handed out as threads get free. LibTorch rethrows the first exception of a task.
  static void bulk(std::size_t n, task_fn f) {
    std::atomic<std::size_t> next{0};
    const auto workers = static_cast<std::int64_t>((std::min)(n, concurrency()));
    at::parallel_for(0, workers, 1, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t worker = first; worker < last; ++worker)
        for (std::size_t task = next++; task < n; task = next++) f(static_cast<std::size_t>(worker), task);
    });
  }
};

}  // namespace torch
}  // namespace v1
}  // namespace bitpq
