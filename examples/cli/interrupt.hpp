// SPDX-License-Identifier: Apache-2.0
#pragma once

// Ctrl-C asks for an orderly end: work that is going on is cancelled, files that were begun are removed.

#include <bitpq/core/error.hpp>
#include <bitpq/core/progress.hpp>

#include <csignal>

namespace cli {

inline volatile std::sig_atomic_t& interrupt_flag() noexcept {
  static volatile std::sig_atomic_t flag = 0;
  return flag;
}

/// From now on SIGINT and SIGTERM set the flag, and nothing else.
inline void catch_interrupts() {
  interrupt_flag() = 0;  // made before a handler can run
  for (const int number : {SIGINT, SIGTERM}) std::signal(number, [](int) { interrupt_flag() = 1; });
}

[[nodiscard]] inline bool interrupted() noexcept { return interrupt_flag() != 0; }

/// Throws cancelled after an interrupt.
inline void stop_if_interrupted() {
  bitpq::require(!interrupted(), bitpq::errc::cancelled, "interrupted; nothing was written");
}

/// What long computations ask.
inline bitpq::progress_callback until_interrupted() {
  return [](const bitpq::progress&) { return !interrupted(); };
}

}  // namespace cli
