// SPDX-License-Identifier: Apache-2.0
#pragma once

// A convolution's input as a matrix, a few columns at a time: row k = (channel of the group, kernel y, kernel x),
// column = (image, output y, output x). Only panels that fit a cache are ever made, never the whole matrix.

#include <bitpq/codec/layer_geometry.hpp>
#include <bitpq/core/nchw_view.hpp>

namespace bitpq {
inline namespace v1 {

/// Where up to `capacity` columns read: one instance serves every row of their panel.
class im2col_columns {
 public:
  static constexpr std::size_t capacity = 64;

  /// These columns, at most `capacity`, of an input of that layout and geometry whose output is out.h x out.w.
  template <class T>
  im2col_columns(const nchw_view<T>& x, const layer_geometry& g, extent2 out,
                 std::span<const std::size_t> columns) noexcept
      : n_(columns.size()),
        height_(static_cast<std::ptrdiff_t>(x.height())),
        width_(static_cast<std::ptrdiff_t>(x.width())) {
    for (std::size_t lane = 0; lane < n_; ++lane) {
      const std::size_t column = columns[lane];
      const std::size_t pixel = column % (out.h * out.w);
      y_[lane] =
          static_cast<std::ptrdiff_t>(pixel / out.w * g.conv.stride.h) - static_cast<std::ptrdiff_t>(g.conv.padding.h);
      x_[lane] =
          static_cast<std::ptrdiff_t>(pixel % out.w * g.conv.stride.w) - static_cast<std::ptrdiff_t>(g.conv.padding.w);
      origin_[lane] = static_cast<std::ptrdiff_t>(column / (out.h * out.w)) * x.stride(0) + y_[lane] * x.stride(2) +
                      x_[lane] * x.stride(3);
    }
  }

  /// Rows [k0, k1) of group `group` into dst[(k - k0) * ld + lane]; lanes n .. ld are left alone.
  template <class T, class U>
  void pack(const nchw_view<const T>& x, const layer_geometry& g, std::size_t group, std::size_t k0, std::size_t k1,
            U* dst, std::size_t ld) const noexcept {
    for_each_row(x, g, group, k0, k1, [&](const tap_reads& reads, const T* channel, std::size_t k) {
      reads.copy(channel, dst + (k - k0) * ld, n_);
    });
  }

  /// The transpose of pack: adds src[(k - k0) * ld + lane] to the element that pack would read, if it is inside. An
  /// element takes its terms in the order of the taps, however the channels are cut into calls.
  template <class T>
  void add(const nchw_view<T>& x, const layer_geometry& g, std::size_t group, std::size_t k0, std::size_t k1,
           const T* src, std::size_t ld) const noexcept {
    for_each_row(x, g, group, k0, k1, [&](const tap_reads& reads, T* channel, std::size_t k) {
      reads.add(src + (k - k0) * ld, channel, n_);
    });
  }

 private:
  /// The reads of one kernel tap: an offset per lane from the start of a channel, and whether it is inside the image.
  struct tap_reads {
    std::ptrdiff_t offset[capacity];
    bool inside[capacity];
    bool contiguous;  // all inside and one after the other

    template <class T, class U>
    void copy(const T* channel, U* dst, std::size_t n) const noexcept {
      if (contiguous) {
        const T* const from = channel + offset[0];
        for (std::size_t lane = 0; lane < n; ++lane) dst[lane] = static_cast<U>(from[lane]);
        return;
      }
      for (std::size_t lane = 0; lane < n; ++lane) {
        const T value = channel[offset[lane]];  // outside lanes read offset 0 and drop it: no branch
        dst[lane] = inside[lane] ? static_cast<U>(value) : U{0};
      }
    }
    template <class T>
    void add(const T* src, T* channel, std::size_t n) const noexcept {
      for (std::size_t lane = 0; lane < n; ++lane)
        if (inside[lane]) channel[offset[lane]] += src[lane];
    }
  };

  /// f(reads, channel, k) for the rows [k0, k1), tap by tap.
  template <class T, class F>
  void for_each_row(const nchw_view<T>& x, const layer_geometry& g, std::size_t group, std::size_t k0, std::size_t k1,
                    const F& f) const noexcept {
    const std::size_t window = g.window();
    T* const base = x.data_handle() + static_cast<std::ptrdiff_t>(group * g.in_per_group()) * x.stride(1);
    for (std::size_t tap = 0; tap < window; ++tap) {
      // The channels whose row (channel * window + tap) falls into [k0, k1).
      const std::size_t c0 = k0 > tap ? ceil_div(k0 - tap, window) : 0;
      const std::size_t c1 = k1 > tap ? ceil_div(k1 - tap, window) : 0;
      if (c0 >= c1) continue;
      const tap_reads reads = reads_of(tap / g.kernel.w * g.conv.dilation.h, tap % g.kernel.w * g.conv.dilation.w,
                                       x.stride(2), x.stride(3));
      for (std::size_t c = c0; c < c1; ++c)
        f(reads, base + static_cast<std::ptrdiff_t>(c) * x.stride(1), c * window + tap);
    }
  }

  [[nodiscard]] tap_reads reads_of(std::size_t dy, std::size_t dx, std::ptrdiff_t row_stride,
                                   std::ptrdiff_t column_stride) const noexcept {
    tap_reads reads;
    const auto down = static_cast<std::ptrdiff_t>(dy), right = static_cast<std::ptrdiff_t>(dx);
    reads.contiguous = true;
    for (std::size_t lane = 0; lane < n_; ++lane) {
      const std::ptrdiff_t y = y_[lane] + down, x = x_[lane] + right;
      reads.inside[lane] = y >= 0 && y < height_ && x >= 0 && x < width_;
      reads.offset[lane] = reads.inside[lane] ? origin_[lane] + down * row_stride + right * column_stride : 0;
      reads.contiguous = reads.contiguous && reads.inside[lane] &&
                         reads.offset[lane] == reads.offset[0] + static_cast<std::ptrdiff_t>(lane);
    }
    return reads;
  }

  std::size_t n_;
  std::ptrdiff_t height_, width_;
  std::ptrdiff_t y_[capacity], x_[capacity], origin_[capacity];
};

}  // namespace v1
}  // namespace bitpq
