// SPDX-License-Identifier: Apache-2.0
#pragma once

// One network compressed in one way, and what became of it.

#include "engine/answers.hpp"
#include "quality/methods.hpp"
#include "quality/subjects.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace quality {

/// What is measured, in words and numbers that rows of the report begin with.
struct trial {
  std::string network, setting, method;
  std::uint64_t seed = 0;
};

struct layer_row {
  trial of;
  std::string layer;
  bitpq::layer_report report;
  double output_error = 0;  ///< tr(E H E^T) / tr(W H W^T), H of what the student's layer sees on held-out images
};

struct network_row {
  trial of;
  double kl = 0;    ///< mean divergence of the student's softmax from the teacher's, in nats
  double top1 = 0;  ///< per cent
  double teacher_top1 = 0;
  std::size_t bytes = 0;  ///< codes, codebooks, and the rest in fp32
  double ratio = 0;       ///< of all parameters in fp32 to these
  double seconds = 0;     ///< from images to codes: forward passes, statistics, k-means and all
};

struct outcome {
  std::vector<layer_row> layers;
  network_row network;
};

outcome measure(const subject& on, const engine::answers& teacher_answers, const setting& sizes, const method& how,
                const trial& of, bitpq::executor_ref exec);

}  // namespace quality
