// SPDX-License-Identifier: Apache-2.0
#pragma once

// Executors for tests: real threads that pick tasks as they get free, and one that runs tasks in an unusual order.

#include <bitpq/core/executor.hpp>

#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace bitpq_test {

/// `workers` threads per call of bulk. The first exception stops the others and is rethrown.
class thread_executor {
 public:
  explicit thread_executor(std::size_t workers) : workers_(workers) {}

  [[nodiscard]] std::size_t concurrency() const noexcept { return workers_; }

  void bulk(std::size_t n, bitpq::task_fn f) const {
    std::atomic<std::size_t> next{0};
    std::mutex guard;
    std::exception_ptr failure;
    const auto work = [&](std::size_t worker) {
      try {
        for (std::size_t task = next++; task < n; task = next++) f(worker, task);
      } catch (...) {
        const std::lock_guard<std::mutex> lock(guard);
        if (!failure) failure = std::current_exception();
        next = n;
      }
    };
    std::vector<std::thread> threads;
    for (std::size_t worker = 0; worker < workers_; ++worker) threads.emplace_back(work, worker);
    for (std::thread& thread : threads) thread.join();
    if (failure) std::rethrow_exception(failure);
  }

 private:
  std::size_t workers_;
};

/// One thread, tasks from the last to the first, as if by three workers in turn: whatever depends on the order of
/// tasks or on scratch that another task left behind shows.
struct backward_executor {
  [[nodiscard]] static constexpr std::size_t concurrency() noexcept { return 3; }
  static void bulk(std::size_t n, bitpq::task_fn f) {
    for (std::size_t task = n; task-- > 0;) f(task % 3, task);
  }
};

}  // namespace bitpq_test
