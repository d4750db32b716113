// SPDX-License-Identifier: Apache-2.0
#pragma once

// The student as far as it is compressed, to a checkpoint and back.

#include <bitpq/train/detail/network_plan.hpp>
#include <bitpq/train/detail/tuned_layer.hpp>

namespace bitpq {
inline namespace v1 {
namespace detail {

/// A layer that is compressed.
template <scalar T>
struct student_layer {
  tuned_layer_report report;
  tuned_layer<T> codes;
};

/// All that changes while a network is compressed, but for what its host keeps.
template <scalar T>
struct student_state {
  std::vector<student_layer<T>> layers;
  bool global = false;  ///< whether all of them are being tuned together
  tuning_report global_tuning;
};

template <scalar T>
[[nodiscard]] network_checkpoint<T> checkpoint_of(const student_state<T>& student, const network_plan& plan) {
  network_checkpoint<T> to{plan.fingerprint, {}, student.global, student.global_tuning, {}};
  for (const student_layer<T>& layer : student.layers)
    to.layers.push_back({layer.report, layer.codes.weights(), layer.codes.codewords(), layer.codes.state()});
  return to;
}

/// A layer; `how` it is being tuned, null if it is not, and for how many `steps` it has been.
template <scalar T>
[[nodiscard]] student_layer<T> restored_layer(const layer_checkpoint<T>& from, const layer_geometry& g,
                                              const tuning_params* how, std::size_t steps) {
  require(from.weights.rows() == g.rows() && from.weights.cols() == g.cols(), errc::corrupt_file, "weights of ",
          from.weights.rows(), " x ", from.weights.cols(), " for a layer of ", g.rows(), " x ", g.cols());
  student_layer<T> layer{from.report, tuned_layer<T>(from.weights, from.codewords)};
  if (how == nullptr || steps == 0 || steps == how->steps) return layer;
  require(from.optimizer.has_value(), errc::corrupt_file, "no state of the optimizer after ", steps, " steps");
  layer.codes.start(how->optimizer);
  layer.codes.restore(*from.optimizer);
  return layer;
}

/// Throws bad_params for a checkpoint of another run; corrupt_file, or as what layers are made of does, for one that no
/// run comes to.
template <scalar T>
[[nodiscard]] student_state<T> restored_student(const network_checkpoint<T>& from, const network_plan& plan,
                                                const network_params& params) {
  require_same_run(from.fingerprint, plan.fingerprint);
  const std::size_t count = from.layers.size(), all = params.layer_tuning.steps;
  require(count > 0 && count <= plan.layers.size() && (!from.global || count == plan.layers.size()), errc::corrupt_file,
          "checkpoint of ", count, " layers of ", plan.layers.size());
  require(from.global_tuning.steps <= params.global_tuning.steps, errc::corrupt_file, "checkpoint after ",
          from.global_tuning.steps, " global steps of ", params.global_tuning.steps);
  student_state<T> student{{}, from.global, from.global_tuning};
  for (std::size_t i = 0; i < count; ++i) {
    const bool last = !from.global && i + 1 == count;
    const auto restore = [&] {
      const std::size_t steps = from.layers[i].report.tuning.steps;
      require(steps == all || (last && steps < all), errc::corrupt_file, "tuned for ", steps, " steps of ", all);
      const tuning_params* const now = from.global ? &params.global_tuning : last ? &params.layer_tuning : nullptr;
      student.layers.push_back(
          restored_layer(from.layers[i], plan.layers[i].geometry, now, from.global ? from.global_tuning.steps : steps));
    };
    in_context(restore, "checkpoint of layer '", plan.layers[i].name, "'");
  }
  return student;
}

}  // namespace detail
}  // namespace v1
}  // namespace bitpq
