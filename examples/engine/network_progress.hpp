// SPDX-License-Identifier: Apache-2.0
#pragma once

// Bars for a run of bitpq::compress_network: one over its layers, one over the steps that tune all of them.

#include "engine/progress_bar.hpp"

#include <bitpq/train/network_run.hpp>

#include <optional>

namespace engine {

class network_progress {
 public:
  explicit network_progress(std::string title) : title_(std::move(title)) {}

  /// For bitpq::network_run; this object must live as long.
  [[nodiscard]] bitpq::network_progress_callback callback() {
    return [this](const bitpq::network_progress& p) {
      show(p);
      return true;
    };
  }

 private:
  void show(const bitpq::network_progress& p) {
    const bool global = p.phase == bitpq::network_phase::tune_global;
    if (global != global_) bar_.reset();
    global_ = global;
    if (global) {
      if (!bar_) bar_.emplace(title_ + ", tuning", p.steps);
      bar_->move_to(p.step);
      return;
    }
    if (!bar_) bar_.emplace(title_, p.layers);
    bar_->move_to(p.index, std::string(p.layer));
  }

  std::string title_;
  bool global_ = false;
  std::optional<progress_bar> bar_;
};

}  // namespace engine
