// SPDX-License-Identifier: Apache-2.0
#pragma once

// The same networks, dense, on oneDNN: what codes are compared with. oneDNN at its best: weights in the layouts that it
// asks for, activations in blocked layouts all the way through, bias, residual and ReLU fused, each convolution by the
// faster of its algorithms, buffers shared as in a session.

#include "engine/weights.hpp"

#include <memory>
#include <span>

namespace engine {

class onednn_network {
 public:
  /// Makes everything ready, for inputs of that shape. Weights are decoded layer by layer and kept only as oneDNN wants
  /// them. Throws as weights_of does, and dnnl::error.
  onednn_network(const graph& structure, const weights_source& weights_of, const tensor_shape& input);
  onednn_network(const onednn_network&) = delete;
  onednn_network& operator=(const onednn_network&) = delete;
  ~onednn_network();

  /// n x c x h x w numbers, contiguous, to be filled before each run.
  [[nodiscard]] float* input() noexcept;
  /// n x classes numbers, valid until the next run.
  std::span<const float> run();

  /// The same step by step, as the graph has them, for those who want to look at the clock in between.
  [[nodiscard]] std::size_t steps() const noexcept;
  void run_step(std::size_t i);
  [[nodiscard]] std::span<const float> output();
  /// oneDNN's name of what computes step i.
  [[nodiscard]] std::string implementation(std::size_t i) const;

  /// Bytes of the weights as they are kept.
  [[nodiscard]] std::size_t weight_bytes() const noexcept;
  [[nodiscard]] std::size_t activation_bytes() const noexcept;

 private:
  class network_on_onednn;
  std::unique_ptr<network_on_onednn> network_;
};

}  // namespace engine
