// SPDX-License-Identifier: Apache-2.0
#pragma once

// Many images on their way through a network, batch by batch, halted wherever somebody wants to look at a layer's
// input. Of a halted batch only the tensors that later steps read are kept.

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

  [[nodiscard]] std::size_t batches() const noexcept { return halted_.size(); }

  /// What `step` reads first, of batch b. Steps before it run that have not run yet, so that each runs once as long as
  /// nobody looks back; a batch that has passed `step` begins again. `net` has the graph of the constructor; its layers
  /// may have changed since, which only steps to come notice.
  [[nodiscard]] const tensor& input(const network& net, std::size_t step, std::size_t b, bitpq::executor_ref exec) {
    halted_batch& halted = halted_[b];
    if (halted.tensors.empty() || halted.next > step) {
      halted.tensors.assign(structure_->nodes.size() + 1, {});
      halted.tensors[0] = images_.batch(b * batch_, std::min(batch_, images_.count - b * batch_));
      halted.next = 0;
    }
    for (; halted.next < step; ++halted.next) net.run(halted.next, halted.tensors, exec);
    return halted.tensors[structure_->nodes[step].inputs[0]];
  }

 private:
  struct halted_batch {
    std::size_t next = 0;         // step
    std::vector<tensor> tensors;  // by number; empty where not made yet or not needed any more
  };

  const graph* structure_;
  image_source images_;
  std::size_t batch_;
  std::vector<halted_batch> halted_;
};

}  // namespace engine
