// SPDX-License-Identifier: Apache-2.0
#pragma once

// Streams calibration activations into second moments. Inputs are seen once and never kept: memory is that of the
// result and one chunk of columns.

#include <bitpq/codec/layer_geometry.hpp>
#include <bitpq/core/nchw_view.hpp>
#include <bitpq/kernel/im2col.hpp>
#include <bitpq/quantize/importance.hpp>

namespace bitpq {
inline namespace v1 {

/// Sums x x^T over the inputs of one layer, in double precision, for each group of a convolution.
class gram_accumulator {
 public:
  /// Memory: groups x cols x cols doubles. Throws bad_shape or bad_params for a geometry that makes no layer,
  /// out_of_memory.
  explicit gram_accumulator(const layer_geometry& geometry)
      : geometry_(geometry.validated()),
        kernels_(&bitpq::kernels<double>()),
        stride_(round_up(geometry.cols(), kernels_->panel)),
        sums_(checked_product(geometry.groups(), checked_product(geometry.cols(), stride_, "second moments"),
                              "second moments")) {}

  [[nodiscard]] const layer_geometry& geometry() const noexcept { return geometry_; }
  /// Columns seen: samples of a linear layer, output pixels of a convolution.
  [[nodiscard]] std::size_t columns() const noexcept { return columns_; }

  /// Inputs of a linear layer as columns, in_features x n, any strides. Throws bad_shape or non_finite, nothing added.
  /// O(n cols^2 / 2). Chunks are cut from each call on its own, so equal calls give equal bits for any executor.
  template <scalar T>
  void add(matrix_view<const T> x, executor_ref exec = {}) {
    require(geometry_.type == layer_geometry::kind::linear && x.rows() == geometry_.in_channels, errc::bad_shape,
            "calibration input of ", x.rows(), " x ", x.cols(), " for a layer of ", geometry_.in_channels, " inputs");
    require_finite(x, "calibration input");
    add_columns(x.cols(), exec, [&](std::size_t, std::size_t first, std::size_t n, double* dst, std::size_t ld) {
      for (std::size_t k = 0; k < x.rows(); ++k)
        for (std::size_t c = 0; c < n; ++c) dst[k * ld + c] = static_cast<double>(x(k, first + c));
    });
  }

  /// Inputs of a convolution, n x in_channels x h x w. Throws bad_shape or non_finite, nothing added.
  template <scalar T>
  void add(nchw_view<const T> x, executor_ref exec = {}) {
    require(x.channels() == geometry_.in_channels, errc::bad_shape, "calibration input of ", x.batch(), " x ",
            x.channels(), " x ", x.height(), " x ", x.width(), " for a layer of ", geometry_.in_channels, " inputs");
    const extent2 out = geometry_.output_size({x.height(), x.width()});
    for (std::size_t image = 0; image < x.batch(); ++image)
      for (std::size_t c = 0; c < x.channels(); ++c)
        require_finite(matrix_view<const T>(&x(image, c, 0, 0), x.height(), x.width(), x.stride(2), x.stride(3)),
                       "calibration input");
    add_columns(x.batch() * out.h * out.w, exec,
                [&](std::size_t group, std::size_t first, std::size_t n, double* dst, std::size_t ld) {
                  im2col_columns(x, geometry_, out, first, n).pack(x, geometry_, group, 0, geometry_.cols(), dst, ld);
                });
  }

  /// The mean over all columns. Throws bad_params when there were none.
  [[nodiscard]] importance finish() const {
    require(columns_ > 0, errc::bad_params, "no calibration input for a layer of ", geometry_.in_channels,
            " inputs and ", geometry_.out_channels, " outputs");
    const std::size_t cols = geometry_.cols();
    aligned_buffer<double> moments(geometry_.groups() * cols * cols);
    for (std::size_t g = 0; g < geometry_.groups(); ++g)
      for (std::size_t i = 0; i < cols; ++i)
        for (std::size_t j = 0; j <= i; ++j) {
          const double mean = sums_[(g * cols + i) * stride_ + j] / static_cast<double>(columns_);
          moments[(g * cols + i) * cols + j] = mean;
          moments[(g * cols + j) * cols + i] = mean;
        }
    return {geometry_.groups(), cols, std::move(moments)};
  }

 private:
  static constexpr std::size_t chunk = 256;  // columns at a time: a multiple of im2col_columns::capacity

  /// pack(group, first, n, dst, ld) writes columns first .. first + n, n <= capacity, of a group's inputs to
  /// dst[k * ld + c].
  template <class Pack>
  void add_columns(std::size_t columns, executor_ref exec, const Pack& pack) {
    constexpr std::size_t slice = im2col_columns::capacity;
    const std::size_t cols = geometry_.cols(), panel = kernels_->panel;
    aligned_buffer<double> inputs(cols * chunk);
    std::vector<aligned_buffer<double>> scratch(exec.concurrency());
    for (aligned_buffer<double>& s : scratch) s = aligned_buffer<double>(chunk * panel);
    for (std::size_t group = 0; group < geometry_.groups(); ++group)
      for (std::size_t first = 0; first < columns; first += chunk) {
        const std::size_t n = (std::min)(chunk, columns - first);
        exec.bulk(ceil_div(n, slice), [&](std::size_t, std::size_t s) {
          pack(group, first + s * slice, (std::min)(slice, n - s * slice), inputs.data() + s * slice, chunk);
        });
        exec.bulk(ceil_div(cols, panel), [&](std::size_t worker, std::size_t task) {
          add_panel(group, task * panel, n, inputs, scratch[worker].data());
        });
      }
    columns_ += columns;
  }

  /// Adds to columns [first, first + panel) of the sums, from the diagonal downwards: the rest follows by symmetry.
  void add_panel(std::size_t group, std::size_t first, std::size_t n, const aligned_buffer<double>& inputs,
                 double* packed) {
    const std::size_t cols = geometry_.cols(), panel = kernels_->panel;
    for (std::size_t c = 0; c < n; ++c)
      for (std::size_t lane = 0; lane < panel; ++lane)
        packed[c * panel + lane] = first + lane < cols ? inputs[(first + lane) * chunk + c] : 0;
    kernels_->gemm_panel(inputs.data() + first * chunk, static_cast<std::ptrdiff_t>(chunk), packed, panel,
                         sums_.data() + (group * cols + first) * stride_ + first, static_cast<std::ptrdiff_t>(stride_),
                         cols - first, panel, n, true);
  }

  layer_geometry geometry_;
  const kernel_table<double>* kernels_;
  std::size_t stride_;           // columns of a row of sums, whole panels
  aligned_buffer<double> sums_;  // groups x cols x stride, lower triangle
  std::size_t columns_ = 0;
};

}  // namespace v1
}  // namespace bitpq
