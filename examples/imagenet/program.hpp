// SPDX-License-Identifier: Apache-2.0
#pragma once

// What `classify` and `classify_dense` have in common: everything but the network.

#include "engine/tensor.hpp"
#include "imagenet/options.hpp"

#include <functional>
#include <memory>
#include <span>

namespace imagenet {

/// A network that answers one image at a time.
class classifier {
 public:
  classifier() = default;
  classifier(const classifier&) = delete;
  classifier& operator=(const classifier&) = delete;
  virtual ~classifier() = default;

  /// 1 x 3 x input_side x input_side numbers, contiguous, to be filled before each answer.
  virtual float* input() = 0;
  /// One number per class, valid until the next answer.
  virtual std::span<const float> answer() = 0;
  [[nodiscard]] virtual std::size_t classes() const = 0;
  /// One line: what network it is, and the memory that it takes.
  [[nodiscard]] virtual std::string about() const = 0;
  /// Which way each layer is computed and how long it takes, of the answers so far. Empty: not known.
  [[nodiscard]] virtual std::string plan() const { return {}; }
};

using classifier_factory = std::function<std::unique_ptr<classifier>(const options&)>;

/// main() of a program: reads options, makes the network, and answers image after image. Returns the exit status; what
/// is wrong is said in one line.
int run_program(int argc, char** argv, const std::string& usage, bool on_codes, const classifier_factory& make);

}  // namespace imagenet
