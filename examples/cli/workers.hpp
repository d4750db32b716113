// SPDX-License-Identifier: Apache-2.0
#pragma once

// Threads of the program's own that sleep while there is nothing to do: on a machine that others use too, those of
// OpenMP, which spin between tasks, make many short tasks slower than one thread would.

#include <bitpq/core/executor.hpp>

#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace cli {

/// An executor of bitpq; the thread that calls bulk is worker 0.
class workers {
 public:
  /// 0: as many as the machine runs at once.
  explicit workers(std::size_t count) {
    if (count == 0) count = (std::max)(std::thread::hardware_concurrency(), 1U);
    for (std::size_t worker = 1; worker < count; ++worker) threads_.emplace_back([this, worker] { serve(worker); });
  }
  workers(const workers&) = delete;
  workers& operator=(const workers&) = delete;
  ~workers() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    work_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  [[nodiscard]] std::size_t concurrency() const noexcept { return threads_.size() + 1; }

  /// Tasks go to whoever is free. The first exception of a task is rethrown when all are done.
  void bulk(std::size_t n, bitpq::task_fn f) {
    {
      const std::lock_guard lock(mutex_);
      function_ = &f;
      next_ = 0;
      count_ = n;
      busy_ = threads_.size();
      failure_ = nullptr;
      ++round_;
    }
    work_.notify_all();
    take_tasks(0);
    std::unique_lock lock(mutex_);
    done_.wait(lock, [this] { return busy_ == 0; });
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  void serve(std::size_t worker) {
    for (std::size_t seen = 0;;) {
      {
        std::unique_lock lock(mutex_);
        work_.wait(lock, [&] { return stop_ || round_ != seen; });
        if (stop_) return;
        seen = round_;
      }
      take_tasks(worker);
      const std::lock_guard lock(mutex_);
      if (--busy_ == 0) done_.notify_one();
    }
  }

  void take_tasks(std::size_t worker) noexcept {
    for (std::size_t task = next_++; task < count_; task = next_++) {
      try {
        (*function_)(worker, task);
      } catch (...) {
        const std::lock_guard lock(mutex_);
        if (!failure_) failure_ = std::current_exception();
      }
    }
  }

  std::mutex mutex_;
  std::condition_variable work_, done_;
  const bitpq::task_fn* function_ = nullptr;
  std::atomic<std::size_t> next_{0};
  std::size_t count_ = 0, busy_ = 0, round_ = 0;
  bool stop_ = false;
  std::exception_ptr failure_;
  std::vector<std::thread> threads_;
};

}  // namespace cli
