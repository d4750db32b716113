// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a layer is compressed by: second moments of what it reads in the student and, where asked for, the weights that
// make the teacher's outputs of it.

#include <bitpq/quantize/gram_accumulator.hpp>
#include <bitpq/quantize/targets.hpp>
#include <bitpq/train/network_params.hpp>

namespace bitpq {
inline namespace v1 {
namespace detail {

/// Throws bad_shape unless these can be inputs of the layer. Returns whether there are any.
template <scalar T>
bool check_samples(const layer_geometry& g, const layer_samples<T>& samples, bool teacher) {
  const nchw_view<const T>&x = samples.inputs, &t = samples.teacher_inputs;
  require(x.channels() == g.in_channels || x.empty(), errc::bad_shape, "inputs of ", x.batch(), " x ", x.channels(),
          " x ", x.height(), " x ", x.width(), " for a layer of ", g.in_channels, " channels");
  if (x.empty()) return false;
  static_cast<void>(g.output_size({x.height(), x.width()}));
  for (std::size_t d = 0; teacher && d < 4; ++d)
    require(t.extent(d) == x.extent(d), errc::bad_shape, "inputs of the teacher's layer of ", t.batch(), " x ",
            t.channels(), " x ", t.height(), " x ", t.width(), " beside the student's of ", x.batch(), " x ",
            x.channels(), " x ", x.height(), " x ", x.width());
  return true;
}

template <scalar T>
struct layer_statistics {
  std::optional<importance> moments{};  ///< nothing where there are no statistics
  aligned_buffer<T> target{};           ///< rows x cols; empty: the weights themselves
};

template <scalar T>
class layer_calibration {
 public:
  layer_calibration(const layer_geometry& geometry, const calibration_params& params)
      : params_(params), moments_(geometry, params.columns_per_batch) {
    if (params.teacher_targets) outputs_.emplace(geometry, params.columns_per_batch);
  }

  [[nodiscard]] std::size_t batches() const noexcept { return batches_; }

  /// Throws bad_shape or non_finite.
  void add(const matrix_view<const T>& weights, const layer_samples<T>& samples, executor_ref exec) {
    if (!check_samples(moments_.geometry(), samples, outputs_.has_value())) return;
    moments_.add<T>(samples.inputs, exec);
    if (outputs_) outputs_->add<T>(weights, samples.teacher_inputs, samples.inputs, exec);
    ++batches_;
  }

  /// The sums are gone. Throws bad_params when there were none.
  [[nodiscard]] layer_statistics<T> finish(const matrix_view<const T>& weights, executor_ref exec) && {
    layer_statistics<T> result{std::move(moments_).finish(), {}};
    if (outputs_)
      result.target = teacher_target<T>(weights, std::move(*outputs_).finish().span(), *result.moments,
                                        params_.target_damping, exec);
    return result;
  }

 private:
  calibration_params params_;
  gram_accumulator moments_;
  std::optional<target_accumulator> outputs_;
  std::size_t batches_ = 0;
};

}  // namespace detail
}  // namespace v1
}  // namespace bitpq
