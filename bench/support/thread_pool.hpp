// SPDX-License-Identifier: Apache-2.0
#pragma once

// An executor of the kind that hosts bring: threads that are started once and wait between calls, spinning for a while,
// since the next layer is usually not far, and asleep after that.

#include <bitpq/core/executor.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#if defined(__linux__)
#include <sched.h>
#endif
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace bench {

/// The thread that makes it is worker 0 and the only one to call it. Each worker is held to a core of its own, for
/// schedulers like to wake a thread where another one is running. For tasks that do not throw.
class thread_pool {
 public:
  explicit thread_pool(std::size_t workers) {
    for (std::size_t worker = 1; worker < workers; ++worker)
      threads_.emplace_back([this, worker] {
        hold_to_core(worker);
        serve(worker);
      });
    hold_to_core(0);  // last: threads begin where their maker may run
  }
  thread_pool(const thread_pool&) = delete;
  thread_pool& operator=(const thread_pool&) = delete;
  ~thread_pool() {
    start(0, nullptr);
    for (std::thread& thread : threads_) thread.join();
  }

  [[nodiscard]] std::size_t concurrency() const noexcept { return threads_.size() + 1; }

  void bulk(std::size_t n, bitpq::task_fn f) {
    start(n, &f);
    work(0);
    while (busy_.load(std::memory_order_acquire) > 0) pause();
  }

 private:
  static constexpr std::chrono::microseconds patience{200};

  /// Holds the calling thread to the worker-th of the cores that it may use.
  static void hold_to_core(std::size_t worker) noexcept {
#if defined(__linux__)
    cpu_set_t allowed, one;
    if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) return;
    CPU_ZERO(&one);
    for (std::size_t core = 0; core < CPU_SETSIZE; ++core)
      if (CPU_ISSET(core, &allowed) && worker-- == 0) CPU_SET(core, &one);
    if (CPU_COUNT(&one) > 0) sched_setaffinity(0, sizeof(one), &one);
#endif
  }

  static void pause() noexcept {
#if defined(__x86_64__)
    _mm_pause();
#else
    std::this_thread::yield();
#endif
  }

  /// No job: the threads end.
  void start(std::size_t tasks, const bitpq::task_fn* job) {
    {
      const std::lock_guard<std::mutex> lock(guard_);
      job_ = job;
      tasks_ = tasks;
      next_.store(0, std::memory_order_relaxed);
      busy_.store(threads_.size(), std::memory_order_relaxed);
      call_.fetch_add(1, std::memory_order_release);
    }
    wake_.notify_all();
  }

  void work(std::size_t worker) {
    for (std::size_t task = next_++; task < tasks_; task = next_++) (*job_)(worker, task);
  }

  /// Returns once the call after `served` calls has been made.
  void await_call(std::size_t served) {
    const auto until = std::chrono::steady_clock::now() + patience;
    while (call_.load(std::memory_order_acquire) == served) {
      pause();
      if (std::chrono::steady_clock::now() < until) continue;
      std::unique_lock<std::mutex> lock(guard_);
      wake_.wait(lock, [&] { return call_.load(std::memory_order_relaxed) != served; });
    }
  }

  void serve(std::size_t worker) {
    for (std::size_t served = 0;; ++served) {
      await_call(served);
      if (job_ == nullptr) return;
      work(worker);
      busy_.fetch_sub(1, std::memory_order_release);
    }
  }

  std::mutex guard_;
  std::condition_variable wake_;
  const bitpq::task_fn* job_ = nullptr;
  std::size_t tasks_ = 0;
  std::atomic<std::size_t> next_{0}, busy_{0}, call_{0};
  std::vector<std::thread> threads_;  // last: they use the rest
};

/// As many threads as the suite may use.
inline thread_pool& all_threads() {
  static thread_pool pool(BENCH_THREADS);
  return pool;
}

}  // namespace bench
