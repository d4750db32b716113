// SPDX-License-Identifier: Apache-2.0
#pragma once

// What an observing layer collects of the inputs that pass through it.

#include <bitpq/interop/torch/products.hpp>
#include <bitpq/quantize/gram_accumulator.hpp>
#include <bitpq/quantize/targets.hpp>

#include <optional>

namespace bitpq {
inline namespace v1 {
namespace torch {

/// Second moments of a layer's inputs and, where a teacher's inputs come with them, what teacher_target asks for.
class observation {
 public:
  explicit observation(const layer_geometry& geometry, std::size_t columns_per_call, bool with_teacher)
      : moments_(geometry, columns_per_call) {
    if (with_teacher) targets_.emplace(geometry, columns_per_call);
  }

  [[nodiscard]] std::size_t columns() const noexcept { return moments_.columns(); }
  [[nodiscard]] bool with_teacher() const noexcept { return targets_.has_value(); }

  /// Inputs n x features or n x channels x h x w. Throws bad_shape or non_finite, nothing added.
  void add(const at::Tensor& x) {
    if (detail::is_linear(moments_.geometry()))
      moments_.add(detail::columns_of(x), at_executor{});
    else
      moments_.add(detail::maps_of(x), at_executor{});
  }

  /// The same with the teacher's inputs of the same samples and the teacher's weights.
  void add(const at::Tensor& x, const at::Tensor& teacher, const at::Tensor& weight) {
    const matrix_view<const float> w = detail::weight_matrix(weight);
    if (detail::is_linear(moments_.geometry()))
      targets_.value().add(w, detail::columns_of(teacher), detail::columns_of(x), at_executor{});
    else
      targets_.value().add(w, detail::maps_of(teacher), detail::maps_of(x), at_executor{});
    add(x);
  }

  /// Throws bad_params when nothing passed through.
  [[nodiscard]] importance moments() const& { return moments_.finish(); }
  [[nodiscard]] aligned_buffer<double> targets() && { return std::move(targets_.value()).finish(); }

 private:
  gram_accumulator moments_;
  std::optional<target_accumulator> targets_;
};

}  // namespace torch
}  // namespace v1
}  // namespace bitpq
