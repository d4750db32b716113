// SPDX-License-Identifier: Apache-2.0
#pragma once

// The steps of a network that have no weights. Each comes in two forms: into maps that are there, and into a new
// tensor.

#include "engine/graph.hpp"
#include "engine/tensor.hpp"

#include <bitpq/core/executor.hpp>
#include <bitpq/core/scratch.hpp>

#include <algorithm>
#include <limits>

namespace engine {

namespace detail {

/// How many windows fit along one side; as torch counts them.
inline std::size_t pooled_length(std::size_t in, const pool_window& w) {
  const std::size_t padded = in + 2 * w.padding;
  bitpq::require(padded >= w.size, bitpq::errc::bad_shape, "pooling windows of ", w.size, " over ", in, " pixels");
  std::size_t out = (padded - w.size + (w.ceil ? w.stride - 1 : 0)) / w.stride + 1;
  if (w.ceil && (out - 1) * w.stride >= in + w.padding) --out;  // the last window lies in the padding alone
  return out;
}

/// The pixels that a window sees along one side: from + [first, last) of `length`.
struct seen {
  std::size_t first, last;

  seen(std::size_t window, std::size_t length, const pool_window& w) noexcept
      : first(std::max(window * w.stride, w.padding) - w.padding),
        last(std::min(window * w.stride + w.size, length + w.padding) - w.padding) {}
};

/// y[j] = the largest of the Size numbers from x + j * Stride on. Constants, so that compilers make vectors of it.
template <std::size_t Size, std::size_t Stride>
void max_of_neighbours(const float* x, float* y, std::size_t n) noexcept {
  for (std::size_t j = 0; j < n; ++j) {
    float most = x[j * Stride];
    for (std::size_t k = 1; k < Size; ++k) most = most < x[j * Stride + k] ? x[j * Stride + k] : most;
    y[j] = most;
  }
}

/// The same for windows of any size.
inline void max_of_neighbours(const float* x, const pool_window& w, float* y, std::size_t n) noexcept {
  if (w.size == 3 && w.stride == 2) return max_of_neighbours<3, 2>(x, y, n);
  for (std::size_t j = 0; j < n; ++j, x += w.stride) y[j] = *std::max_element(x, x + w.size);
}

/// One map: first the largest of each column of a row of windows, neighbours at a time, then along that row.
inline void max_pool_map(const float* x, bitpq::extent2 in, const pool_window& w, float* y, bitpq::extent2 out,
                         float* columns) noexcept {
  for (std::size_t i = 0; i < out.h; ++i, y += out.w) {
    const seen rows(i, in.h, w);
    std::copy_n(x + rows.first * in.w, in.w, columns);
    for (std::size_t row = rows.first + 1; row < rows.last; ++row)
      for (std::size_t c = 0; c < in.w; ++c) {
        const float v = x[row * in.w + c];
        columns[c] = columns[c] < v ? v : columns[c];
      }
    const auto edge = [&](std::size_t j) {
      const seen at(j, in.w, w);
      y[j] = *std::max_element(columns + at.first, columns + at.last);
    };
    // Windows that lie inside as a whole: begin .. end.
    const std::size_t begin = std::min(out.w, bitpq::ceil_div(w.padding, w.stride));
    const std::size_t end =
        in.w + w.padding < w.size ? begin : std::clamp((in.w + w.padding - w.size) / w.stride + 1, begin, out.w);
    for (std::size_t j = 0; j < begin; ++j) edge(j);
    max_of_neighbours(columns + begin * w.stride - w.padding, w, y + begin, end - begin);
    for (std::size_t j = end; j < out.w; ++j) edge(j);
  }
}

inline bool are_planes(const maps_in& x) noexcept {
  return x.stride(3) == 1 && x.stride(2) == static_cast<std::ptrdiff_t>(x.width());
}

}  // namespace detail

inline tensor_shape pooled_shape(const tensor_shape& x, const pool_window& w) {
  return {x.n, x.c, detail::pooled_length(x.h, w), detail::pooled_length(x.w, w)};
}

/// The largest pixel of each window; padding never wins. y is of pooled_shape, and both have contiguous planes.
inline void max_pool(maps_in x, const pool_window& w, maps_out y, bitpq::executor_ref exec) {
  bitpq::require(shape_of(y) == pooled_shape(shape_of(x), w) && detail::are_planes(x) && detail::are_planes(y),
                 bitpq::errc::bad_shape, "pooling maps of ", x.height(), " x ", x.width(), " into ", y.height(), " x ",
                 y.width());
  bitpq::scratch memory(exec.concurrency() * x.width() * sizeof(float));
  float* const columns = reinterpret_cast<float*>(memory.data());
  exec.bulk(x.batch() * x.channels(), [&](std::size_t worker, std::size_t map) {
    const std::size_t n = map / x.channels(), c = map % x.channels();
    detail::max_pool_map(&x(n, c, 0, 0), {x.height(), x.width()}, w, &y(n, c, 0, 0), {y.height(), y.width()},
                         columns + worker * x.width());
  });
}

inline tensor max_pool(const tensor& x, const pool_window& w, bitpq::executor_ref exec) {
  tensor y(pooled_shape(x.shape(), w));
  max_pool(x.view(), w, y.view(), exec);
  return y;
}

/// Mean over each map: n x c x h x w to n x c x 1 x 1.
inline void global_average_pool(maps_in x, maps_out y) {
  bitpq::require(detail::are_planes(x) && shape_of(y) == tensor_shape{x.batch(), x.channels(), 1, 1},
                 bitpq::errc::bad_shape, "averages of ", x.channels(), " maps into ", y.channels());
  const std::size_t pixels = x.height() * x.width();
  for (std::size_t n = 0; n < x.batch(); ++n)
    for (std::size_t c = 0; c < x.channels(); ++c) {
      const float* const from = &x(n, c, 0, 0);
      float sums[8] = {};  // independent of each other, or each addition would wait for the one before
      std::size_t p = 0;
      for (; p + 8 <= pixels; p += 8)
        for (std::size_t i = 0; i < 8; ++i) sums[i] += from[p + i];
      for (std::size_t i = 0; p < pixels; ++p, ++i) sums[i] += from[p];
      for (std::size_t i = 1; i < 8; ++i) sums[0] += sums[i];
      y(n, c, 0, 0) = sums[0] / static_cast<float>(pixels);
    }
}

inline tensor global_average_pool(const tensor& x) {
  tensor y(x.batch(), x.channels(), 1, 1);
  global_average_pool(x.view(), y.view());
  return y;
}

/// Throws bad_shape when batch or size differ.
inline tensor_shape concat_shape(const tensor_shape& a, const tensor_shape& b) {
  bitpq::require(a.n == b.n && a.h == b.h && a.w == b.w, bitpq::errc::bad_shape, "maps of ", a.h, " x ", a.w,
                 " beside maps of ", b.h, " x ", b.w);
  return {a.n, a.c + b.c, a.h, a.w};
}

/// The channels of `a`, then those of `b`. Maps that already lie where they belong are left there.
inline void concat(maps_in a, maps_in b, maps_out y) {
  bitpq::require(shape_of(y) == concat_shape(shape_of(a), shape_of(b)), bitpq::errc::bad_shape, a.channels(), " and ",
                 b.channels(), " maps into ", y.channels());
  const auto place = [&](const maps_in& from, std::size_t first) {
    const std::size_t size = from.channels() * from.height() * from.width();
    for (std::size_t n = 0; n < from.batch(); ++n)
      if (float* const to = &y(n, first, 0, 0); to != &from(n, 0, 0, 0)) std::copy_n(&from(n, 0, 0, 0), size, to);
  };
  place(a, 0);
  place(b, a.channels());
}

inline tensor concat(const tensor& a, const tensor& b) {
  tensor y(concat_shape(a.shape(), b.shape()));
  concat(a.view(), b.view(), y.view());
  return y;
}

}  // namespace engine
