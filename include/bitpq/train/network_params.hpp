// SPDX-License-Identifier: Apache-2.0
#pragma once

// How a network is to be compressed, layer by layer: what belongs to the result, and is therefore part of a
// checkpoint's fingerprint. How one run goes about it is in network_run.hpp.

#include <bitpq/quantize/presets.hpp>
#include <bitpq/train/adam.hpp>
#include <bitpq/train/code_refresh.hpp>
#include <bitpq/train/network.hpp>
#include <bitpq/train/schedule.hpp>
#include <bitpq/train/sgd.hpp>

#include <variant>

namespace bitpq {
inline namespace v1 {

/// A learning rate by the step within a phase, as step_schedule and cosine_schedule are.
using rate_schedule = std::function<double(std::size_t)>;

/// How codewords are tuned, those of one layer or of all.
struct tuning_params {
  std::size_t steps = 0;  ///< 0: not at all
  rate_schedule rate{};   ///< of steps 0 .. steps - 1
  std::variant<sgd_params, adam_params> optimizer = adam_params{};
  std::size_t refresh_every = 0;  ///< steps after which codes are refreshed too (refresh_codes); 0: never
  refresh_params refresh{};
  double refresh_rate = 0;  ///< codes move towards the weights less this times their gradient

  /// Throws bad_params.
  void validate() const {
    if (steps == 0) return;
    require(static_cast<bool>(rate), errc::bad_params, steps, " steps without a learning rate");
    std::visit([](const auto& params) { params.validate(); }, optimizer);
    if (refresh_every == 0) return;
    refresh.validate();
    require(refresh_rate > 0 && std::isfinite(refresh_rate), errc::bad_params, "codes refreshed at a rate of ",
            refresh_rate, ", not a finite number > 0");
  }
};

/// What is learned from calibration data before a layer is compressed.
struct calibration_params {
  bool statistics = true;  ///< second moments of the student's inputs; false: metrics and refinement must do without
  std::size_t columns_per_batch = 8192;  ///< how many of a batch's columns, see gram_accumulator
  bool teacher_targets = false;          ///< compress what makes the teacher's outputs of these inputs (teacher_target)
  double target_damping = 0.03;          ///< of teacher_target

  /// Throws bad_params.
  void validate() const {
    require(columns_per_batch > 0, errc::bad_params, "calibration on 0 columns per batch");
    require(statistics || !teacher_targets, errc::bad_params, "teacher targets without statistics of the inputs");
  }
};

/// How each layer is compressed, by its place.
using layer_params = std::function<pq_params(std::size_t, const network_layer&)>;

struct network_params {
  layer_params layer = [](std::size_t, const network_layer& l) { return params_of(preset::best, l.geometry); };
  calibration_params calibration{};
  tuning_params layer_tuning{};   ///< of each layer once it is compressed, those behind it being dense
  tuning_params global_tuning{};  ///< of all of them together in the end
};

}  // namespace v1
}  // namespace bitpq
