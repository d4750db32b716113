// SPDX-License-Identifier: Apache-2.0
#pragma once

// Time, budgets and progress of a run of compress_network.

#include <bitpq/train/network_run.hpp>

#include <chrono>

namespace bitpq {
inline namespace v1 {
namespace detail {

/// What is done of one kind of work, what is left of it, and how long it took.
struct work_meter {
  double left = 0, done = 0, seconds = 0;

  void add(double amount, double took) noexcept {
    left -= amount;
    done += amount;
    seconds += took;
  }
  /// How long `amount` will take; nothing before any has been timed.
  [[nodiscard]] std::optional<double> time_for(double amount) const noexcept {
    if (amount <= 0) return 0.0;
    return done > 0 ? std::optional(amount * seconds / done) : std::nullopt;
  }
};

class run_watch {
 public:
  template <scalar T>
  explicit run_watch(const network_run<T>& run)
      : progress_(run.progress), max_steps_(run.max_steps), max_seconds_(run.max_seconds) {}

  /// `weights` wait to be compressed, and steps to be done if there were no budget.
  void expect(std::size_t weights, std::size_t steps) {
    weights_.left = static_cast<double>(weights);
    steps_.left = static_cast<double>(steps);
  }

  [[nodiscard]] double seconds() const { return std::chrono::duration<double>(clock::now() - start_).count(); }
  [[nodiscard]] std::size_t steps() const noexcept { return steps_done_; }

  void layer_done(std::size_t weights) { weights_.add(static_cast<double>(weights), lap()); }
  void step_done() {
    ++steps_done_;
    steps_.add(1, lap());
  }

  /// Which budget is used up, if any.
  [[nodiscard]] std::optional<run_end> spent() const {
    if (steps_done_ >= max_steps_) return run_end::steps_spent;
    if (seconds() >= max_seconds_) return run_end::seconds_spent;
    return std::nullopt;
  }

  /// Adds the times and passes it on; false once somebody wants the run to stop.
  bool report(network_progress progress) {
    progress.seconds = seconds();
    progress.seconds_left = seconds_left(progress.seconds);
    cancelled_ = cancelled_ || (progress_ && !progress_(progress));
    return !cancelled_;
  }
  [[nodiscard]] bool cancelled() const noexcept { return cancelled_; }

 private:
  using clock = std::chrono::steady_clock;

  double lap() {
    const clock::time_point before = std::exchange(lap_, clock::now());
    return std::chrono::duration<double>(lap_ - before).count();
  }

  [[nodiscard]] std::optional<double> seconds_left(double now) const {
    const double steps = (std::min)(steps_.left, static_cast<double>(max_steps_ - steps_done_));
    const std::optional<double> compressing = weights_.time_for(weights_.left), tuning = steps_.time_for(steps);
    if (!compressing || !tuning) return std::nullopt;
    return *compressing + (std::min)(*tuning, (std::max)(0.0, max_seconds_ - now));
  }

  network_progress_callback progress_;
  std::size_t max_steps_, steps_done_ = 0;
  double max_seconds_;
  work_meter weights_, steps_;
  clock::time_point start_ = clock::now(), lap_ = start_;
  bool cancelled_ = false;
};

}  // namespace detail
}  // namespace v1
}  // namespace bitpq
