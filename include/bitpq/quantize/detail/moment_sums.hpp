// SPDX-License-Identifier: Apache-2.0
#pragma once

// Sums of products of a layer's input columns, with themselves or with outputs, chunk by chunk of columns. Within a
// chunk products are summed in the precision of the inputs, from chunk to chunk in double: of floats the moments are
// good to about 1e-6 of the largest, far below what a different set of images would change.

#include <bitpq/codec/layer_geometry.hpp>
#include <bitpq/core/aligned_buffer.hpp>
#include <bitpq/core/executor.hpp>
#include <bitpq/core/matrix_view.hpp>
#include <bitpq/core/nchw_view.hpp>
#include <bitpq/core/random.hpp>
#include <bitpq/kernel/dispatch.hpp>
#include <bitpq/kernel/im2col.hpp>

#include <algorithm>
#include <limits>
#include <vector>

namespace bitpq {
inline namespace v1 {
namespace detail {

/// The columns of a layer's inputs, wherever they lie: pack(group, columns, dst, ld) writes them to dst[k * ld + c].
/// `require_columns` throws bad_shape or non_finite.
template <scalar T>
class linear_columns {
 public:
  explicit linear_columns(const matrix_view<const T>& x) : x_(x) {}

  void require_columns(const layer_geometry& g) const {
    require(g.type == layer_geometry::kind::linear && x_.rows() == g.in_channels, errc::bad_shape,
            "calibration input of ", x_.rows(), " x ", x_.cols(), " for a layer of ", g.in_channels, " inputs");
    require_finite(x_, "calibration input");
  }
  [[nodiscard]] std::size_t count(const layer_geometry&) const { return x_.cols(); }
  void pack(const layer_geometry&, std::size_t, std::span<const std::size_t> columns, T* dst, std::size_t ld) const {
    for (std::size_t k = 0; k < x_.rows(); ++k)
      for (std::size_t c = 0; c < columns.size(); ++c) dst[k * ld + c] = x_(k, columns[c]);
  }

 private:
  matrix_view<const T> x_;
};

/// The same of images.
template <scalar T>
class image_columns {
 public:
  explicit image_columns(const nchw_view<const T>& x) : x_(x) {}

  void require_columns(const layer_geometry& g) const {
    require(x_.channels() == g.in_channels, errc::bad_shape, "calibration input of ", x_.batch(), " x ", x_.channels(),
            " x ", x_.height(), " x ", x_.width(), " for a layer of ", g.in_channels, " inputs");
    static_cast<void>(count(g));  // for the errors of an image that does not fit
    for (std::size_t image = 0; image < x_.batch(); ++image)
      for (std::size_t c = 0; c < x_.channels(); ++c)
        require_finite(matrix_view<const T>(&x_(image, c, 0, 0), x_.height(), x_.width(), x_.stride(2), x_.stride(3)),
                       "calibration input");
  }
  [[nodiscard]] std::size_t count(const layer_geometry& g) const {
    const extent2 out = g.output_size({x_.height(), x_.width()});
    return x_.batch() * out.h * out.w;
  }
  void pack(const layer_geometry& g, std::size_t group, std::span<const std::size_t> columns, T* dst,
            std::size_t ld) const {
    im2col_columns(x_, g, g.output_size({x_.height(), x_.width()}), columns).pack(x_, g, group, 0, g.cols(), dst, ld);
  }

 private:
  nchw_view<const T> x_;
};

class moment_sums {
 public:
  /// Of `rows` left factors in each group. See gram_accumulator. Throws bad_shape, bad_params, out_of_memory.
  moment_sums(const layer_geometry& geometry, std::size_t rows, std::size_t columns_per_call)
      : geometry_(geometry.validated()),
        rows_(rows),
        columns_per_call_(columns_per_call),
        sums_(checked_product(geometry.groups(), checked_product(rows, geometry.cols(), "second moments"),
                              "second moments")) {
    require(columns_per_call > 0, errc::bad_params, "second moments of 0 columns per call");
  }

  [[nodiscard]] const layer_geometry& geometry() const noexcept { return geometry_; }
  [[nodiscard]] std::size_t columns() const noexcept { return columns_; }

  /// Adds x x^T, of which only the lower triangle is kept up; there are as many rows as columns of the weights.
  template <scalar T, class X>
  void add(const X& x, executor_ref exec) {
    x.require_columns(geometry_);
    add_products<T>(
        choose(x.count(geometry_)), x,
        [](std::size_t, std::span<const std::size_t>, const T* inputs) { return inputs; }, true, exec);
  }

  /// Adds (w y) x^T for weights w of the layer; there are as many rows as outputs of a group. Throws bad_shape when
  /// there are not as many columns of both.
  template <scalar T, class X>
  void add_outputs(const matrix_view<const T>& w, const X& y, const X& x, executor_ref exec) {
    require(w.rows() == geometry_.rows() && w.cols() == geometry_.cols(), errc::bad_shape, "weights of ", w.rows(),
            " x ", w.cols(), " for a layer of ", geometry_.rows(), " x ", geometry_.cols());
    y.require_columns(geometry_);
    x.require_columns(geometry_);
    require(x.count(geometry_) == y.count(geometry_), errc::bad_shape, "calibration inputs of ", y.count(geometry_),
            " columns beside ", x.count(geometry_));
    const kernel_table<T>& kernels = bitpq::kernels<T>();
    const std::size_t cols = geometry_.cols(), each = (std::min)(kernels.panel, slice);
    aligned_buffer<T> weights(w.size()), outputs(rows_ * ld);
    for (std::size_t r = 0; r < w.rows(); ++r)
      for (std::size_t c = 0; c < cols; ++c) weights[r * cols + c] = w(r, c);
    std::vector<aligned_buffer<T>> panels(exec.concurrency());
    for (aligned_buffer<T>& panel : panels) panel = aligned_buffer<T>(cols * kernels.panel);
    const auto outputs_of = [&](std::size_t group, std::span<const std::size_t> columns, const T*) {
      exec.bulk(ceil_div(columns.size(), each), [&](std::size_t worker, std::size_t task) {
        const auto some = columns.subspan(task * each, (std::min)(each, columns.size() - task * each));
        T* const panel = panels[worker].data();
        y.pack(geometry_, group, some, panel, kernels.panel);
        kernels.gemm_panel(weights.data() + group * rows_ * cols, static_cast<std::ptrdiff_t>(cols), panel,
                           kernels.panel, outputs.data() + task * each, static_cast<std::ptrdiff_t>(ld), rows_,
                           some.size(), cols, false);
      });
      return static_cast<const T*>(outputs.data());
    };
    add_products<T>(choose(x.count(geometry_)), x, outputs_of, false, exec);
  }

  /// The means, groups x rows x cols; the sums are gone. With `symmetric` the lower triangle is mirrored. Throws
  /// bad_params when nothing was added.
  [[nodiscard]] aligned_buffer<double> take(bool symmetric) {
    require(columns_ > 0, errc::bad_params, "no calibration input for a layer of ", geometry_.in_channels,
            " inputs and ", geometry_.out_channels, " outputs");
    const double share = 1 / static_cast<double>(columns_);
    for (double& sum : sums_) sum *= share;
    if (symmetric) mirror();
    return std::move(sums_);
  }

 private:
  static constexpr std::size_t slice = im2col_columns::capacity;  // columns that are packed at a time
  static constexpr std::size_t chunk = 8 * slice;                 // columns that are multiplied at a time
  static constexpr std::size_t ld = chunk + 16;  // of packed rows: no power of two, for the cache's sake

  /// The columns of a call that are looked at: one at random from each of as many equal stretches.
  [[nodiscard]] std::vector<std::size_t> choose(std::size_t columns) const {
    std::vector<std::size_t> chosen((std::min)(columns, columns_per_call_));
    const double stretch =
        static_cast<double>(columns) / static_cast<double>((std::max)(chosen.size(), std::size_t{1}));
    const random_stream random(0, columns_);
    for (std::size_t i = 0; i < chosen.size(); ++i) {
      const double at = (static_cast<double>(i) + random.uniform(i)) * stretch;
      chosen[i] = chosen.size() == columns ? i : (std::min)(columns - 1, static_cast<std::size_t>(at));
    }
    return chosen;
  }

  /// `left_of(group, columns, inputs)` gives the left factors on some columns, rows x ld, whose inputs are given too.
  /// With `lower` only the lower triangle.
  template <scalar T, class X, class Left>
  void add_products(const std::vector<std::size_t>& columns, const X& x, const Left& left_of, bool lower,
                    executor_ref exec) {
    const kernel_table<T>& kernels = bitpq::kernels<T>();
    const std::size_t cols = geometry_.cols(), panels = ceil_div(cols, kernels.panel);
    const std::size_t block = cols > 1024 ? 128 : 48;  // rows of a task, which stay in its core's cache
    const std::size_t blocks = ceil_div(rows_, block);
    aligned_buffer<T> inputs(cols * ld), packed(panels * kernels.panel * chunk);
    std::vector<aligned_buffer<T>> scratch(exec.concurrency());
    for (aligned_buffer<T>& s : scratch) s = aligned_buffer<T>(block * kernels.panel);
    for (std::size_t group = 0; group < geometry_.groups(); ++group)
      for (std::size_t first = 0; first < columns.size(); first += chunk) {
        const auto some = std::span(columns).subspan(first, (std::min)(chunk, columns.size() - first));
        exec.bulk(ceil_div(some.size(), slice), [&](std::size_t, std::size_t s) {
          x.pack(geometry_, group, some.subspan(s * slice, (std::min)(slice, some.size() - s * slice)),
                 inputs.data() + s * slice, ld);
        });
        const T* const left = left_of(group, some, static_cast<const T*>(inputs.data()));
        exec.bulk(panels, [&](std::size_t, std::size_t p) { pack_panel(kernels, inputs, p, some.size(), packed); });
        exec.bulk(blocks, [&](std::size_t worker, std::size_t task) {  // the longest rows first
          const std::size_t top = (blocks - 1 - task) * block;
          add_rows(kernels, group, top, (std::min)(rows_, top + block), some.size(), left, packed, lower,
                   scratch[worker].data());
        });
      }
    columns_ += columns.size();
  }

  /// Rows of panel p side by side: packed[c * panel + lane]; lanes beyond the last row keep what they have.
  template <scalar T>
  void pack_panel(const kernel_table<T>& kernels, const aligned_buffer<T>& rows, std::size_t p, std::size_t n,
                  aligned_buffer<T>& packed) const {
    constexpr std::size_t tile = 16;
    const std::size_t panel = kernels.panel, lanes = (std::min)(panel, geometry_.cols() - p * panel);
    const T* const from = rows.data() + p * panel * ld;
    T* const to = packed.data() + p * panel * chunk;
    for (std::size_t c0 = 0; c0 < n; c0 += tile)
      for (std::size_t lane = 0; lane < lanes; ++lane)
        for (std::size_t c = c0; c < (std::min)(c0 + tile, n); ++c) to[c * panel + lane] = from[lane * ld + c];
  }

  /// Adds the products of rows [first, last) with all inputs, or with those up to themselves.
  template <scalar T>
  void add_rows(const kernel_table<T>& kernels, std::size_t group, std::size_t first, std::size_t last, std::size_t n,
                const T* rows, const aligned_buffer<T>& packed, bool lower, T* products) {
    const std::size_t cols = geometry_.cols(), panel = kernels.panel;
    for (std::size_t at = 0; at < (lower ? last : cols); at += panel) {
      const std::size_t lanes = (std::min)(panel, cols - at), top = lower ? (std::max)(first, at) : first;
      kernels.gemm_panel(rows + top * ld, static_cast<std::ptrdiff_t>(ld), packed.data() + at * chunk, panel, products,
                         static_cast<std::ptrdiff_t>(panel), last - top, lanes, n, false);
      for (std::size_t r = top; r < last; ++r) {
        double* const sum = sums_.data() + (group * rows_ + r) * cols + at;
        const T* const product = products + (r - top) * panel;
        for (std::size_t lane = 0; lane < lanes; ++lane) sum[lane] += static_cast<double>(product[lane]);
      }
    }
  }

  /// Copies the lower triangles to the upper ones, tile by tile.
  void mirror() noexcept {
    constexpr std::size_t tile = 32;
    const std::size_t cols = geometry_.cols();
    for (std::size_t g = 0; g < geometry_.groups(); ++g) {
      double* const h = sums_.data() + g * cols * cols;
      for (std::size_t i0 = 0; i0 < cols; i0 += tile)
        for (std::size_t j0 = 0; j0 <= i0; j0 += tile)
          for (std::size_t i = i0; i < (std::min)(i0 + tile, cols); ++i)
            for (std::size_t j = j0; j < (std::min)(j0 + tile, i); ++j) h[j * cols + i] = h[i * cols + j];
    }
  }

  layer_geometry geometry_;
  std::size_t rows_;
  std::size_t columns_per_call_;
  aligned_buffer<double> sums_;  // groups x rows x cols
  std::size_t columns_ = 0;
};

}  // namespace detail
}  // namespace v1
}  // namespace bitpq
