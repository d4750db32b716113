// SPDX-License-Identifier: Apache-2.0
#pragma once

// Streams calibration activations into second moments. Inputs are seen once and never kept: memory is that of the
// result and some chunks of 512 columns.

#include <bitpq/quantize/detail/moment_sums.hpp>
#include <bitpq/quantize/importance.hpp>

namespace bitpq {
inline namespace v1 {

/// Every column of every call.
inline constexpr std::size_t all_columns = (std::numeric_limits<std::size_t>::max)();

/// Sums x x^T over the inputs of one layer, for each group of a convolution.
class gram_accumulator {
 public:
  /// Of each call at most `columns_per_call` columns are taken, one at random from each of as many equal stretches:
  /// neighbouring pixels are alike, and some thousand columns of a batch tell what all would. Memory: groups x cols x
  /// cols doubles. Throws bad_shape or bad_params for a geometry that makes no layer, out_of_memory.
  explicit gram_accumulator(const layer_geometry& geometry, std::size_t columns_per_call = all_columns)
      : sums_(geometry, geometry.validated().cols(), columns_per_call) {}

  [[nodiscard]] const layer_geometry& geometry() const noexcept { return sums_.geometry(); }
  /// Columns added: samples of a linear layer, output pixels of a convolution.
  [[nodiscard]] std::size_t columns() const noexcept { return sums_.columns(); }

  /// Inputs of a linear layer as columns, in_features x n, any strides. Throws bad_shape or non_finite, nothing added.
  /// O(n cols^2 / 2). Chunks are cut from each call on its own, so equal calls give equal bits for any executor.
  template <scalar T>
  void add(matrix_view<const T> x, executor_ref exec = {}) {
    sums_.add<T>(detail::linear_columns<T>(x), exec);
  }

  /// Inputs of a convolution, n x in_channels x h x w. Throws bad_shape or non_finite, nothing added.
  template <scalar T>
  void add(nchw_view<const T> x, executor_ref exec = {}) {
    sums_.add<T>(detail::image_columns<T>(x), exec);
  }

  /// The mean over all columns. Throws bad_params when there were none.
  [[nodiscard]] importance finish() const& { return gram_accumulator(*this).mean(); }
  /// The same without a copy of the sums, which are gone.
  [[nodiscard]] importance finish() && { return mean(); }

 private:
  importance mean() {
    const layer_geometry& g = sums_.geometry();
    return {g.groups(), g.cols(), sums_.take(true)};
  }

  detail::moment_sums sums_;
};

/// Sums what teacher_target wants to know: outputs of the teacher times inputs of the student, y_t x_s^T, column by
/// column.
class target_accumulator {
 public:
  /// See gram_accumulator. Memory: rows x cols doubles.
  explicit target_accumulator(const layer_geometry& geometry, std::size_t columns_per_call = all_columns)
      : sums_(geometry, geometry.validated().rows() / geometry.groups(), columns_per_call) {}

  [[nodiscard]] std::size_t columns() const noexcept { return sums_.columns(); }

  /// Inputs of the layer in teacher and student, as gram_accumulator takes them, that go with each other column by
  /// column, and the teacher's weights (rows x cols, any strides), which turn the former into outputs. Throws bad_shape
  /// or non_finite, nothing added. O(n rows cols / groups).
  template <scalar T>
  void add(std::type_identity_t<matrix_view<const T>> weights, matrix_view<const T> teacher,
           std::type_identity_t<matrix_view<const T>> student, executor_ref exec = {}) {
    sums_.add_outputs<T>(weights, detail::linear_columns<T>(teacher), detail::linear_columns<T>(student), exec);
  }
  template <scalar T>
  void add(std::type_identity_t<matrix_view<const T>> weights, nchw_view<const T> teacher,
           std::type_identity_t<nchw_view<const T>> student, executor_ref exec = {}) {
    sums_.add_outputs<T>(weights, detail::image_columns<T>(teacher), detail::image_columns<T>(student), exec);
  }

  /// E[y_t x_s^T], rows x cols; the sums are gone. Throws bad_params when nothing was added.
  [[nodiscard]] aligned_buffer<double> finish() && { return sums_.take(false); }

 private:
  detail::moment_sums sums_;
};

}  // namespace v1
}  // namespace bitpq
