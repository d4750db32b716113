// SPDX-License-Identifier: Apache-2.0
#pragma once

// Runs bitpq's tasks on OpenMP's threads. The including translation unit is compiled with OpenMP (target
// bitpq::openmp).

#include <bitpq/core/executor.hpp>

#include <omp.h>

#include <exception>

#if !defined(_OPENMP)
#error "bitpq/interop/openmp.hpp needs OpenMP: link bitpq::openmp or compile with -fopenmp"
#endif

namespace bitpq {
inline namespace v1 {

/// An executor over `threads` OpenMP threads, by default as many as OpenMP would use.
class openmp_executor {
 public:
  explicit openmp_executor(int threads = omp_get_max_threads()) : threads_(threads) {
    require(threads >= 1, errc::bad_params, "openmp_executor of ", threads, " threads");
  }

  [[nodiscard]] std::size_t concurrency() const noexcept { return static_cast<std::size_t>(threads_); }

  /// Tasks are handed out as threads get free. The first exception of a task is rethrown when all are done.
  void bulk(std::size_t n, task_fn f) const {
    std::exception_ptr failure;
    const auto count = static_cast<long long>(n);
#pragma omp parallel for num_threads(threads_) schedule(dynamic, 1)
    for (long long task = 0; task < count; ++task) {
#if BITPQ_HAS_EXCEPTIONS
      try {
        f(static_cast<std::size_t>(omp_get_thread_num()), static_cast<std::size_t>(task));
      } catch (...) {
#pragma omp critical(bitpq_openmp_executor)
        if (!failure) failure = std::current_exception();
      }
#else
      f(static_cast<std::size_t>(omp_get_thread_num()), static_cast<std::size_t>(task));
#endif
    }
#if BITPQ_HAS_EXCEPTIONS
    if (failure) std::rethrow_exception(failure);
#endif
  }

 private:
  int threads_;
};

}  // namespace v1
}  // namespace bitpq
