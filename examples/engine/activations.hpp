// SPDX-License-Identifier: Apache-2.0
#pragma once

// Many images on their way through a network, halted wherever somebody wants to look at a layer's input. Each step of
// the network runs once per batch, and of a halted batch only the tensors that later steps read are kept.

#include "engine/network.hpp"

#include <functional>

namespace engine {

/// Where batches come from: `batch(first, n)` makes images first .. first + n of `count`.
struct image_source {
  std::size_t count = 0;
  std::function<tensor(std::size_t first, std::size_t n)> batch;
};

class activations {
 public:
  /// Images are made when they first move, batch by batch, so that they are never in memory together.
  activations(const graph& structure, image_source images, std::size_t batch)
      : structure_(&structure),
        images_(std::move(images)),
        batch_(batch),
        halted_(bitpq::ceil_div(images_.count, batch)) {}

  /// Runs the steps up to `step`, not included, that have not run yet. `net` has the graph of the constructor; its
  /// layers may have changed since, which only later steps notice.
  void advance(const network& net, std::size_t step, bitpq::executor_ref exec) {
    for (std::size_t b = 0; b < halted_.size(); ++b) {
      if (halted_[b].empty()) {
        halted_[b].resize(structure_->nodes.size() + 1);
        halted_[b][0] = images_.batch(b * batch_, std::min(batch_, images_.count - b * batch_));
      }
      for (std::size_t i = step_; i < step; ++i) net.run(i, halted_[b], exec);
    }
    step_ = std::max(step_, step);
  }

  [[nodiscard]] std::size_t batches() const noexcept { return halted_.size(); }

  /// What the step that comes next reads first, of one batch. Call advance before.
  [[nodiscard]] const tensor& input(std::size_t batch) const {
    return halted_[batch][structure_->nodes[step_].inputs[0]];
  }

 private:
  const graph* structure_;
  image_source images_;
  std::size_t batch_;
  std::size_t step_ = 0;  // the next to run
  std::vector<std::vector<tensor>>
      halted_;  // of each batch, by number; empty where not made yet or not needed any more
};

}  // namespace engine
