// SPDX-License-Identifier: Apache-2.0
#pragma once

// One setting with one seed: compressed, tuned, written, read back and measured.

#include "imagenette/dataset.hpp"
#include "imagenette/settings.hpp"
#include "imagenette/speed.hpp"

#include "engine/answers.hpp"

namespace imagenette {

struct trial_options {
  std::filesystem::path out;
  std::size_t steps = 200, batch = 32;
  bool paper = true;    ///< whether the paper's preset and schedule are measured beside it
  bool resume = false;  ///< whether to go on where checkpoints in `out` have stopped
};

/// Accuracy in per cent on val/, divergence from the teacher's answers in nats.
struct accuracy {
  double top1 = 0, kl = 0;
};

struct trial_result {
  std::string setting;
  std::uint64_t seed = 0;
  std::size_t file_bytes = 0;
  double ratio = 0;  ///< all parameters in fp32 to the file
  double teacher_top1 = 0;
  accuracy before, after;         ///< fine-tuning
  std::optional<accuracy> paper;  ///< the paper's, fine-tuned
  std::optional<speedup> speed;
  double seconds = 0;  ///< compressing and tuning ours
};

/// Writes OUT/<setting>-<seed>.safetensors, and while it tunes a checkpoint beside it.
trial_result run_trial(const dataset& data, const engine::answers& teacher, const setting& sizes, std::uint64_t seed,
                       const trial_options& options, bitpq::executor_ref exec);

}  // namespace imagenette
