// SPDX-License-Identifier: Apache-2.0
#pragma once

// Compresses a network of the engine and tunes its codewords until it imitates what it was. LibTorch computes the
// gradients; this header does not show it.

#include "engine/student.hpp"

#include <bitpq/train/compress_network.hpp>

namespace engine {

struct distillation_options {
  image_source images;     ///< to tune with, drawn at random and mirrored; no labels
  std::size_t batch = 32;  ///< images per step
  double temperature = 2;  ///< of bitpq::distillation_loss
  double bias_rate = 1;    ///< the learning rate of biases, relative to the codewords'
  std::uint64_t seed = 0;  ///< of the images drawn
};

/// Looks at a student that a run has come to.
using student_visitor = std::function<void(student&, const bitpq::network_report&)>;

/// bitpq::compress_network over the chosen layers of `teacher`. `compressed` sees the student when all layers are
/// compressed and none is tuned, also in a run that resumes; an empty one spares that pass. `tuned` sees it as it is in
/// the end. Neither is called where the run was cancelled before.
void distil(const network& teacher, const image_source& calibration, const layer_choice& chosen,
            const student_options& options, const distillation_options& tuning, const bitpq::network_params& params,
            const bitpq::network_run<float>& run, bitpq::executor_ref exec, const student_visitor& compressed,
            const student_visitor& tuned);

}  // namespace engine
