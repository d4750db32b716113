// SPDX-License-Identifier: Apache-2.0
#pragma once

// Reads a convolution's input as a matrix, a panel at a time: row k = (channel of the group, kernel y, kernel x),
// column = (image, output y, output x). One channel of what the panel's pixels see is copied into a window, padded with
// zeros and split by the phases of the stride, after which every tap of the kernel is a few runs of neighbouring
// elements, whatever the stride, padding, dilation and layout. Neither the whole matrix nor a padded input is ever
// made.

#include <bitpq/codec/layer_geometry.hpp>
#include <bitpq/core/nchw_view.hpp>
#include <bitpq/core/scratch.hpp>
#include <bitpq/gemm/detail/panel_rows.hpp>
#include <bitpq/kernel/table.hpp>

#include <algorithm>
#include <numeric>
#include <utility>

namespace bitpq {
inline namespace v1 {
namespace detail {

/// The taps of a kernel along one axis. Tap t of output o reads padded element o * stride + t * dilation: element
/// o + shift(t) of those with one remainder by the stride, their phase. Phases repeat every `period` taps. Where that
/// takes less room for `outputs` outputs, for taps are far apart, every tap has a phase of its own, without a shift.
/// Not split by phases, all padded elements are of one phase, and outputs `pitch` of them apart.
struct tap_axis {
  std::size_t taps, dilation, stride, padding, pitch, period;
  bool apart;

  tap_axis(std::size_t tap_count, std::size_t tap_dilation, std::size_t tap_stride, std::size_t tap_padding,
           std::size_t outputs, bool split = true) noexcept
      : taps(tap_count),
        dilation(tap_dilation),
        stride(split ? tap_stride : 1),
        padding(tap_padding),
        pitch(split ? 1 : tap_stride),
        period((std::min)(taps, stride / std::gcd(dilation, stride))),
        apart(split && taps * outputs / period < outputs + (taps - 1) * dilation / stride) {
    if (apart) period = taps;
  }

  [[nodiscard]] std::size_t phase(std::size_t tap) const noexcept { return tap % period; }
  [[nodiscard]] std::size_t shift(std::size_t tap) const noexcept { return apart ? 0 : tap * dilation / stride; }
  [[nodiscard]] std::size_t reach() const noexcept { return shift(taps - 1); }
  /// Elements of a phase that so many outputs see.
  [[nodiscard]] std::size_t seen_by(std::size_t outputs) const noexcept { return (outputs - 1) * pitch + 1 + reach(); }
  /// Padded element `i` of a phase.
  [[nodiscard]] std::size_t element(std::size_t phase, std::size_t i) const noexcept {
    return i * stride + (apart ? phase * dilation : phase * dilation % stride);
  }
  /// Elements [first, second) of a phase, of `count` from `from` on, that lie inside an image of that size.
  [[nodiscard]] std::pair<std::size_t, std::size_t> inside(std::size_t phase, std::size_t from, std::size_t count,
                                                           std::size_t size) const noexcept {
    const std::size_t zeroth = element(phase, 0);
    const std::size_t begin = zeroth >= padding ? 0 : ceil_div(padding - zeroth, stride);
    const std::size_t end = size + padding <= zeroth ? 0 : ceil_div(size + padding - zeroth, stride);
    return {(std::max)(begin, from), (std::min)(end, from + count)};
  }
};

/// How elements get from the input to panels: as they are.
template <scalar T>
struct exact_packing {
  using element = T;
  const kernel_table<T>* kernels;

  exact_packing(const kernel_table<T>& table) noexcept  // NOLINT(google-explicit-constructor): kernels are a packing
      : kernels(&table) {}

  /// What pads an image.
  [[nodiscard]] static T zero(std::size_t /*image*/) noexcept { return T{0}; }
  void gather(const T* src, std::ptrdiff_t step, const copy_run* runs, std::size_t count, T* dst) const noexcept {
    kernels->gather_runs(src, step, runs, count, dst);
  }
  /// The same run of each of `rows` channels.
  void pack(const T* src, std::ptrdiff_t channel, const copy_run& run, T* dst, std::size_t ld,
            std::size_t rows) const noexcept {
    kernels->pack_rows(src + run.from, channel, dst + run.to, ld, rows, run.length);
  }
  void copy(const T* src, const std::size_t* offsets, std::size_t rows, const copy_run* runs, std::size_t count, T* dst,
            std::size_t ld) const noexcept {
    kernels->copy_runs(src, offsets, rows, runs, count, dst, ld);
  }
};

/// Whether panels may be read without the window. Only where they may not can one `look` through it; in `whole_rows`
/// the stride does not split the rows of the window.
enum class window_use { if_needed, always, whole_rows };

template <scalar T, class Packing = exact_packing<T>>
class convolution_columns {
 public:
  using element = typename Packing::element;

  convolution_columns(const Packing& packing, const nchw_view<const T>& x, const layer_geometry& geometry, extent2 out,
                      window_use use = window_use::if_needed) noexcept
      : packing_(packing),
        x_(x),
        g_(geometry),
        out_(out),
        use_(use),
        direct_(use == window_use::if_needed && g_.window() == 1 && g_.conv.padding == extent2{0, 0}),
        whole_(g_.conv.stride == extent2{1, 1} &&
               x_.stride(2) == static_cast<std::ptrdiff_t>(x_.width()) * x_.stride(3)) {}

  /// What one worker needs to read one panel.
  struct workspace {
    copy_run* pixels;   ///< from the window (or a channel of the input) to a row of the panel
    copy_run* fills;    ///< from a channel of the input to the window
    std::size_t* taps;  ///< where in the window each tap begins
    element* window;
    tap_axis down, right;
    std::size_t width;  ///< of a row of the window
    std::size_t plane;  ///< elements of one phase of the window
    std::size_t window_size;
    bool one_row;  ///< pixels that the window holds neighbours of together are of one row of the output
    std::size_t pixel_count = 0, fill_count = 0;
  };

  [[nodiscard]] workspace cut(scratch_cutter& memory, std::size_t panel) const noexcept {
    const bool one_row = !direct_ && out_.w >= panel;
    const std::size_t out_rows = (std::min)(x_.batch() * out_.h, (panel - 1) / out_.w + 2);
    const tap_axis down(g_.kernel.h, g_.conv.dilation.h, g_.conv.stride.h, g_.conv.padding.h,
                        one_row ? 1 : (std::min)(out_.h, out_rows));
    const tap_axis right(g_.kernel.w, g_.conv.dilation.w, g_.conv.stride.w, g_.conv.padding.w,
                         (std::min)(out_.w, panel), use_ != window_use::whole_rows);
    if (direct_) return {memory.take<copy_run>(panel), nullptr, nullptr, nullptr, down, right, 0, 0, 0, one_row};
    // Pieces of the panel that share no rows of the window.
    const std::size_t pieces = one_row ? out_rows : (std::min)(x_.batch(), (panel - 1) / (out_.h * out_.w) + 2);
    const std::size_t rows = out_rows + pieces * down.reach(), width = right.seen_by((std::min)(out_.w, panel));
    const std::size_t phases = down.period * right.period, plane = rows * width;
    const std::size_t size = phases * plane + copy_slack * right.pitch;
    return {memory.take<copy_run>(panel),
            memory.take<copy_run>(rows * phases),
            memory.take<std::size_t>(g_.window()),
            memory.take<element>(size),
            down,
            right,
            width,
            plane,
            size,
            one_row};
  }

  /// See multiply_panels.
  void pack(workspace& memory, std::size_t group, std::size_t k0, std::size_t k1, std::size_t column, std::size_t n,
            element* dst, std::size_t ld) const noexcept {
    if (memory.pixel_count == 0) locate(memory, column, n);  // once for all runs of the depth
    if (direct_ && memory.pixel_count == 1 && step() == 1) {
      packing_.pack(channel_of(group, k0), x_.stride(1), *memory.pixels, dst, ld, k1 - k0);
      return;
    }
    const std::size_t taps = g_.window();
    for (std::size_t k = k0; k < k1;) {
      const T* const channel = channel_of(group, k / taps);
      if (direct_) {
        packing_.gather(channel, step(), memory.pixels, memory.pixel_count, dst + (k - k0) * ld);
        ++k;
        continue;
      }
      fill(memory, channel);
      const std::size_t tap = k % taps, rows = (std::min)(taps - tap, k1 - k);
      packing_.copy(memory.window, memory.taps + tap, rows, memory.pixels, memory.pixel_count, dst + (k - k0) * ld, ld);
      k += rows;
    }
  }

  [[nodiscard]] panel_rows<T> in_place(std::size_t group, std::size_t k0, std::size_t column,
                                       std::size_t n) const noexcept {
    const panel_traffic<T> found = next(group, k0, column, n);
    if (found.next_columns < n || !rows_serve(*packing_.kernels, x_.stride(1), n)) return {};
    return {found.next, static_cast<std::size_t>(x_.stride(1))};
  }
  /// Where the same pixels lie of every channel, as far as they belong to one image.
  [[nodiscard]] panel_traffic<T> next(std::size_t group, std::size_t k0, std::size_t column,
                                      std::size_t n) const noexcept {
    if (!direct_ || !whole_ || x_.stride(3) != 1) return {};
    const std::size_t pixels = out_.h * out_.w, image = column / pixels, pixel = column % pixels;
    return {
        nullptr, 0,
        channel_of(group, k0) + static_cast<std::ptrdiff_t>(image) * x_.stride(0) + static_cast<std::ptrdiff_t>(pixel),
        x_.stride(1), (std::min)(n, pixels - pixel)};
  }

  /// Fills the window with what columns column .. column + n see of a channel of a group; element i of pixel run r at
  /// tap t is then window[taps[t] + pixels[r].from + i]; of whole rows i * stride.
  void look(workspace& memory, std::size_t group, std::size_t channel, std::size_t column,
            std::size_t n) const noexcept {
    if (memory.pixel_count == 0) locate(memory, column, n);
    fill(memory, channel_of(group, channel));
  }

 private:
  [[nodiscard]] const T* channel_of(std::size_t group, std::size_t channel) const noexcept {
    return x_.data_handle() + static_cast<std::ptrdiff_t>(group * g_.in_per_group() + channel) * x_.stride(1);
  }
  void fill(workspace& memory, const T* channel) const noexcept {
    packing_.gather(channel, x_.stride(3) * static_cast<std::ptrdiff_t>(memory.right.stride), memory.fills,
                    memory.fill_count, memory.window);
  }
  /// From one output's elements to the next one's in a row of the input.
  [[nodiscard]] std::ptrdiff_t step() const noexcept {
    return x_.stride(3) * static_cast<std::ptrdiff_t>(g_.conv.stride.w);
  }

  /// Finds the runs of columns column .. column + n.
  void locate(workspace& memory, std::size_t column, std::size_t n) const noexcept {
    if (!direct_)
      for (std::size_t y = 0; y < g_.kernel.h; ++y)
        for (std::size_t x = 0; x < g_.kernel.w; ++x)
          memory.taps[y * g_.kernel.w + x] =
              (memory.down.phase(y) * memory.right.period + memory.right.phase(x)) * memory.plane +
              memory.down.shift(y) * memory.width + memory.right.shift(x);
    std::size_t window_row = 0;
    for (std::size_t lane = 0; lane < n;) {
      const std::size_t image = (column + lane) / (out_.h * out_.w), pixel = (column + lane) % (out_.h * out_.w);
      const std::size_t rest = memory.one_row ? out_.w - pixel % out_.w : out_.h * out_.w - pixel;
      const std::size_t pixels = (std::min)(n - lane, rest);
      if (direct_)
        read_in_place(memory, image, pixel, pixels, lane);
      else
        window_row += see(memory, image, pixel, pixels, lane, window_row);
      lane += pixels;
    }
  }

  /// Adds `pixels` pixels of an image that are read where they are: all at once, or row by row.
  void read_in_place(workspace& memory, std::size_t image, std::size_t pixel, std::size_t pixels,
                     std::size_t lane) const noexcept {
    for (std::size_t done = 0; done < pixels;) {
      const std::size_t y = (pixel + done) / out_.w, x = (pixel + done) % out_.w;
      const std::size_t length = whole_ ? pixels : (std::min)(pixels - done, out_.w - x);
      memory.pixels[memory.pixel_count++] = {static_cast<std::ptrdiff_t>(image) * x_.stride(0) +
                                                 static_cast<std::ptrdiff_t>(y * g_.conv.stride.h) * x_.stride(2) +
                                                 static_cast<std::ptrdiff_t>(x) * step(),
                                             lane + done, length, image};
      done += length;
    }
  }

  /// Adds `pixels` pixels of an image to the window, from its row `window_row` on; returns the rows they take.
  std::size_t see(workspace& memory, std::size_t image, std::size_t pixel, std::size_t pixels, std::size_t lane,
                  std::size_t window_row) const noexcept {
    const std::size_t first = pixel / out_.w, left = memory.one_row ? pixel % out_.w : 0;
    const std::size_t rows = (pixel + pixels - 1) / out_.w - first + 1 + memory.down.reach();
    const std::size_t columns = memory.one_row ? memory.right.seen_by(pixels) : memory.width;
    for (std::size_t done = 0; done < pixels;) {
      const std::size_t x = (pixel + done) % out_.w, length = (std::min)(pixels - done, out_.w - x);
      const std::size_t y = window_row + (pixel + done) / out_.w - first;
      memory.pixels[memory.pixel_count++] = {
          static_cast<std::ptrdiff_t>(y * memory.width + (x - left) * memory.right.pitch), lane + done, length};
      done += length;
    }
    for (std::size_t down = 0; down < memory.down.period; ++down)
      for (std::size_t right = 0; right < memory.right.period; ++right) {
        const std::size_t plane = (down * memory.right.period + right) * memory.plane;
        std::fill_n(memory.window + plane + window_row * memory.width, rows * memory.width, packing_.zero(image));
        for (std::size_t r = 0; r < rows; ++r)
          see_row(memory, image, memory.down.element(down, first + r), right, left * memory.right.pitch, columns,
                  plane + (window_row + r) * memory.width);
      }
    return rows;
  }

  /// Adds what lies inside the image, of `columns` elements of a phase of a padded row from `left` on, to the window,
  /// which holds them from its element `to` on.
  void see_row(workspace& memory, std::size_t image, std::size_t y, std::size_t phase, std::size_t left,
               std::size_t columns, std::size_t to) const noexcept {
    const std::size_t above = memory.down.padding;
    const auto [begin, end] = memory.right.inside(phase, left, columns, x_.width());
    if (begin >= end || y < above || y - above >= x_.height()) return;
    const std::size_t x = memory.right.element(phase, begin) - memory.right.padding;
    memory.fills[memory.fill_count++] = {static_cast<std::ptrdiff_t>(image) * x_.stride(0) +
                                             static_cast<std::ptrdiff_t>(y - above) * x_.stride(2) +
                                             static_cast<std::ptrdiff_t>(x) * x_.stride(3),
                                         to + begin - left, end - begin, image};
  }

  Packing packing_;
  nchw_view<const T> x_;
  layer_geometry g_;
  extent2 out_;
  window_use use_;
  bool direct_;  // every element of a row of the matrix is one of a channel: 1 x 1 without padding
  bool whole_;   // and its rows follow one another
};

}  // namespace detail
}  // namespace v1
}  // namespace bitpq
