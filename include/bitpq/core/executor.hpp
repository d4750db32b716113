// SPDX-License-Identifier: Apache-2.0
#pragma once

// How the library borrows threads: it never makes any. The caller passes an executor; the default runs in the calling
// thread. How work is cut into tasks never changes a result, so that results do not depend on the number of workers.

#include <bitpq/core/concepts.hpp>

#include <memory>
#include <type_traits>
#include <utility>

namespace bitpq {
inline namespace v1 {

/// A non-owning reference to a callable `void(worker, task)`; it must not outlive the callable.
class task_fn {
 public:
  template <class F>
  requires(!std::same_as<std::remove_cvref_t<F>, task_fn> && std::invocable<F&, std::size_t, std::size_t>)
      task_fn(F&& f)
  noexcept  // NOLINT(google-explicit-constructor): any callable is a task function
      : object_(const_cast<void*>(static_cast<const void*>(std::addressof(f)))),
        call_([](void* object, std::size_t worker, std::size_t task) {
          (*static_cast<std::remove_reference_t<F>*>(object))(worker, task);
        }) {}

  void operator()(std::size_t worker, std::size_t task) const { call_(object_, worker, task); }

 private:
  void* object_;
  void (*call_)(void*, std::size_t, std::size_t);
};

/// Runs n independent tasks: f(worker, task) once for each task < n, with worker < concurrency(), no two tasks of one
/// worker at the same time, and returns when all are done. An exception of a task, if any, is rethrown by bulk.
template <class E>
concept executor = requires(E& e, std::size_t n, task_fn f) {
  { e.concurrency() }
  noexcept->std::convertible_to<std::size_t>;
  {e.bulk(n, f)};
};

/// Runs every task in the calling thread, in order.
struct serial_executor {
  [[nodiscard]] static constexpr std::size_t concurrency() noexcept { return 1; }
  static void bulk(std::size_t n, task_fn f) {
    for (std::size_t task = 0; task < n; ++task) f(0, task);
  }
};

/// A non-owning reference to an executor, the form in which every public function takes one. Default: serial.
class executor_ref {
 public:
  executor_ref() noexcept = default;

  template <executor E>
  requires(!std::same_as<std::remove_cvref_t<E>, executor_ref>) executor_ref(E&& e)
  noexcept  // NOLINT(google-explicit-constructor): callers pass their executor as it is
      : object_(const_cast<void*>(static_cast<const void*>(std::addressof(e)))),
        concurrency_([](void* object) noexcept {
          return static_cast<std::size_t>(static_cast<std::remove_reference_t<E>*>(object)->concurrency());
        }),
        bulk_([](void* object, std::size_t n, task_fn f) {
          static_cast<std::remove_reference_t<E>*>(object)->bulk(n, f);
        }) {}

  /// At least 1.
  [[nodiscard]] std::size_t concurrency() const noexcept {
    const std::size_t workers = concurrency_ == nullptr ? 1 : concurrency_(object_);
    return workers == 0 ? 1 : workers;
  }

  void bulk(std::size_t n, task_fn f) const {
    if (bulk_ == nullptr || n <= 1)
      serial_executor::bulk(n, f);
    else
      bulk_(object_, n, f);
  }

 private:
  void* object_ = nullptr;
  std::size_t (*concurrency_)(void*) noexcept = nullptr;
  void (*bulk_)(void*, std::size_t, task_fn) = nullptr;
};

}  // namespace v1
}  // namespace bitpq
