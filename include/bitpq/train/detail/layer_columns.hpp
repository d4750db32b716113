// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a layer reads and the gradient of what it writes as rows over columns: samples of a linear layer, output pixels
// of a convolution. A gradient is a sum over columns, so they are packed a chunk at a time.

#include <bitpq/codec/layer_geometry.hpp>
#include <bitpq/core/matrix_view.hpp>
#include <bitpq/core/nchw_view.hpp>
#include <bitpq/gemm/input_columns.hpp>

#include <algorithm>

namespace bitpq {
inline namespace v1 {
namespace detail {

/// Where packed rows go: `ld` elements each, of which those beyond the last column are set to zero. What lies within
/// copy_slack elements of the last row may be written too.
template <scalar T>
struct packed_rows {
  T* data;
  std::size_t ld;

  [[nodiscard]] T* row(std::size_t r) const noexcept { return data + r * ld; }
};

/// Rows [row, row + rows) and columns [first, first + n) of a matrix.
template <scalar T>
void pack_matrix(const matrix_view<const T>& from, std::size_t row, std::size_t rows, std::size_t first, std::size_t n,
                 const packed_rows<T>& to) noexcept {
  for (std::size_t r = 0; r < rows; ++r) {
    T* const out = to.row(r);
    if (from.stride(1) == 1)
      std::copy_n(&from(row + r, first), n, out);
    else
      for (std::size_t c = 0; c < n; ++c) out[c] = from(row + r, first + c);
    std::fill(out + n, out + to.ld, T{0});
  }
}

/// Channels [channel, channel + rows) of maps, whose pixels are the columns: runs of pixels that lie at one distance,
/// of a map or of a row of it.
template <scalar T>
void pack_channels(const nchw_view<const T>& from, std::size_t channel, std::size_t rows, std::size_t first,
                   std::size_t n, const packed_rows<T>& to) noexcept {
  const std::size_t width = from.width(), plane = from.height() * width;
  const bool whole = from.stride(2) == static_cast<std::ptrdiff_t>(width) * from.stride(3);
  const std::ptrdiff_t step = from.stride(3);
  for (std::size_t c = 0; c < n;) {
    const std::size_t image = (first + c) / plane, pixel = (first + c) % plane;
    const std::size_t length = (std::min)(n - c, whole ? plane - pixel : width - pixel % width);
    const T* run = &from(image, channel, pixel / width, pixel % width);
    for (std::size_t r = 0; r < rows; ++r, run += from.stride(1)) {
      T* const out = to.row(r) + c;
      if (step == 1)
        std::copy_n(run, length, out);
      else
        for (std::size_t i = 0; i < length; ++i) out[i] = run[static_cast<std::ptrdiff_t>(i) * step];
    }
    c += length;
  }
  for (std::size_t r = 0; r < rows; ++r) std::fill(to.row(r) + n, to.row(r) + to.ld, T{0});
}

/// Samples as columns: x is in x n, dy out x n.
template <scalar T>
class sample_columns {
 public:
  sample_columns(const matrix_view<const T>& x, const matrix_view<const T>& dy) noexcept : x_(x), dy_(dy) {}

  [[nodiscard]] std::size_t count() const noexcept { return dy_.cols(); }

  /// The columns first .. first + n - 1.
  class chunk {
   public:
    chunk(const sample_columns& from, std::size_t first, std::size_t n) noexcept : from_(&from), first_(first), n_(n) {}

    [[nodiscard]] std::size_t size() const noexcept { return n_; }
    /// Rows [k0, k1) of what a group's weights read.
    void pack_inputs(std::size_t /*group*/, std::size_t k0, std::size_t k1, const packed_rows<T>& to) const noexcept {
      pack_matrix(from_->x_, k0, k1 - k0, first_, n_, to);
    }
    /// The gradients of the outputs [row, row + rows).
    void pack_outputs(std::size_t row, std::size_t rows, const packed_rows<T>& to) const noexcept {
      pack_matrix(from_->dy_, row, rows, first_, n_, to);
    }

   private:
    const sample_columns* from_;
    std::size_t first_, n_;
  };

 private:
  matrix_view<const T> x_, dy_;
};

/// Output pixels of all images as columns.
template <scalar T>
class pixel_columns {
 public:
  pixel_columns(const layer_geometry& g, const nchw_view<const T>& x, const nchw_view<const T>& dy) noexcept
      : g_(g), x_(x), dy_(dy), out_{dy.height(), dy.width()} {}

  [[nodiscard]] std::size_t count() const noexcept { return dy_.batch() * out_.h * out_.w; }

  class chunk {
   public:
    chunk(const pixel_columns& from, std::size_t first, std::size_t n)
        : from_(&from), first_(first), n_(n), inputs_(from.x_, from.g_, from.out_, first, n) {}

    [[nodiscard]] std::size_t size() const noexcept { return n_; }
    void pack_inputs(std::size_t group, std::size_t k0, std::size_t k1, const packed_rows<T>& to) noexcept {
      inputs_.pack(group, k0, k1, to.data, to.ld);
      for (std::size_t k = 0; k < k1 - k0; ++k) std::fill(to.row(k) + n_, to.row(k) + to.ld, T{0});
    }
    void pack_outputs(std::size_t row, std::size_t rows, const packed_rows<T>& to) const noexcept {
      pack_channels(from_->dy_, row, rows, first_, n_, to);
    }

   private:
    const pixel_columns* from_;
    std::size_t first_, n_;
    input_columns<T> inputs_;
  };

 private:
  layer_geometry g_;
  nchw_view<const T> x_, dy_;
  extent2 out_;
};

}  // namespace detail
}  // namespace v1
}  // namespace bitpq
