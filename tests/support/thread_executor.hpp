// SPDX-License-Identifier: Apache-2.0
#pragma once

// Executors for tests: real threads that pick tasks as they get free, and one that runs tasks in an unusual order.

#include <bitpq/core/executor.hpp>

#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace bitpq_test {

/// Threads that last as long as the executor, for an emulated one costs 100 KiB that are never given back. The first
/// exception stops the others and is rethrown. One call of bulk at a time.
class thread_executor {
 public:
  explicit thread_executor(std::size_t workers) {
    for (std::size_t worker = 0; worker < workers; ++worker) threads_.emplace_back([this, worker] { serve(worker); });
  }
  thread_executor(const thread_executor&) = delete;
  thread_executor& operator=(const thread_executor&) = delete;
  ~thread_executor() {
    {
      const std::lock_guard lock(guard_);
      closing_ = true;
    }
    work_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  [[nodiscard]] std::size_t concurrency() const noexcept { return threads_.size(); }

  void bulk(std::size_t n, bitpq::task_fn f) const {
    std::unique_lock lock(guard_);
    task_ = &f;
    next_ = 0;
    tasks_ = n;
    work_.notify_all();
    done_.wait(lock, [this] { return next_ >= tasks_ && running_ == 0; });
    tasks_ = 0;
    if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
  }

 private:
  void serve(std::size_t worker) const {
    std::unique_lock lock(guard_);
    while (true) {
      work_.wait(lock, [this] { return closing_ || next_ < tasks_; });
      if (closing_) return;
      const std::size_t task = next_++;
      ++running_;
      lock.unlock();
      std::exception_ptr failure;
      try {
        (*task_)(worker, task);
      } catch (...) {
        failure = std::current_exception();
      }
      lock.lock();
      --running_;
      if (failure && !failure_) failure_ = failure;
      if (failure) next_ = tasks_;
      if (next_ >= tasks_ && running_ == 0) done_.notify_one();
    }
  }

  mutable std::mutex guard_;
  mutable std::condition_variable work_, done_;
  mutable const bitpq::task_fn* task_ = nullptr;
  mutable std::size_t next_ = 0, tasks_ = 0, running_ = 0;
  mutable std::exception_ptr failure_;
  bool closing_ = false;
  std::vector<std::thread> threads_;
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
