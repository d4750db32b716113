// SPDX-License-Identifier: Apache-2.0
#pragma once

// One line on a terminal that tells how far a program has come; a line now and then where there is no terminal.

#include <chrono>
#include <cstdio>
#include <string>

#include <unistd.h>

namespace engine {

class progress_bar {
 public:
  progress_bar(std::string title, std::size_t total) : title_(std::move(title)), total_(total) { draw(); }
  progress_bar(const progress_bar&) = delete;
  progress_bar& operator=(const progress_bar&) = delete;
  ~progress_bar() {
    if (terminal_) std::fputs("\r\033[K", stderr);
  }

  /// `what` names the unit that is being worked on.
  void advance(std::size_t units = 1, const std::string& what = {}) { move_to(done_ + units, what); }

  /// So many units are done.
  void move_to(std::size_t done, const std::string& what = {}) {
    if (done == done_ && what == what_) return;
    done_ = done;
    what_ = what;
    draw();
  }

 private:
  using clock = std::chrono::steady_clock;

  void draw() {
    const double share = total_ == 0 ? 1 : static_cast<double>(done_) / static_cast<double>(total_);
    const double elapsed = std::chrono::duration<double>(clock::now() - start_).count();
    const double left = done_ == 0 ? 0 : elapsed * (1 - share) / share;
    if (!terminal_) {
      if (share < next_line_) return;
      next_line_ = share + 0.25;
      std::fprintf(stderr, "%s: %3.0f %%, %.0f s left\n", title_.c_str(), 100 * share, left);
      return;
    }
    constexpr int width = 28;
    const int full = static_cast<int>(share * width);
    std::fprintf(stderr, "\r\033[K%s [%.*s%.*s] %3.0f %%  %.0f s left  %s", title_.c_str(), full,
                 "############################", width - full, "............................", 100 * share, left,
                 what_.c_str());
  }

  std::string title_, what_;
  std::size_t total_, done_ = 0;
  bool terminal_ = isatty(STDERR_FILENO) != 0;
  double next_line_ = 0;
  clock::time_point start_ = clock::now();
};

}  // namespace engine
