// SPDX-License-Identifier: Apache-2.0
#pragma once

// The steps of a network that have no weights.

#include "engine/graph.hpp"
#include "engine/tensor.hpp"

#include <bitpq/core/executor.hpp>

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

/// y = max(y, the pixels of one input row that tap `tap` of each window sees).
inline void max_of_tap(const float* row, std::size_t width, std::size_t tap, const pool_window& w, float* y,
                       std::size_t out) {
  const std::size_t begin = tap >= w.padding ? 0 : bitpq::ceil_div(w.padding - tap, w.stride);
  for (std::size_t x = begin; x < out && x * w.stride + tap < width + w.padding; ++x)
    y[x] = std::max(y[x], row[x * w.stride + tap - w.padding]);
}

}  // namespace detail

/// The largest pixel of each window; padding never wins. n x c x h x w to n x c x h' x w'.
inline tensor max_pool(const tensor& x, const pool_window& w, bitpq::executor_ref exec) {
  const bitpq::extent2 in = x.size();
  const std::size_t h = detail::pooled_length(in.h, w), v = detail::pooled_length(in.w, w);
  tensor y(x.batch(), x.channels(), h, v);
  exec.bulk(x.batch() * x.channels(), [&](std::size_t, std::size_t map) {
    const float* const from = x.data() + map * in.h * in.w;
    float* to = y.data() + map * h * v;
    for (std::size_t i = 0; i < h; ++i, to += v) {
      std::fill(to, to + v, -std::numeric_limits<float>::infinity());
      for (std::size_t dy = 0; dy < w.size; ++dy) {
        const std::size_t row = i * w.stride + dy;
        if (row < w.padding || row >= in.h + w.padding) continue;
        for (std::size_t dx = 0; dx < w.size; ++dx)
          detail::max_of_tap(from + (row - w.padding) * in.w, in.w, dx, w, to, v);
      }
    }
  });
  return y;
}

/// Mean over each map: n x c x h x w to n x c x 1 x 1.
inline tensor global_average_pool(const tensor& x) {
  tensor y(x.batch(), x.channels(), 1, 1);
  const std::size_t pixels = x.size().h * x.size().w;
  for (std::size_t map = 0; map < x.batch() * x.channels(); ++map) {
    float sum = 0;
    for (std::size_t p = 0; p < pixels; ++p) sum += x.data()[map * pixels + p];
    y.data()[map] = sum / static_cast<float>(pixels);
  }
  return y;
}

/// The channels of `a`, then those of `b`. Throws bad_shape when batch or size differ.
inline tensor concat(const tensor& a, const tensor& b) {
  bitpq::require(a.batch() == b.batch() && a.size() == b.size(), bitpq::errc::bad_shape, "maps of ", a.size().h, " x ",
                 a.size().w, " beside maps of ", b.size().h, " x ", b.size().w);
  tensor y(a.batch(), a.channels() + b.channels(), a.size().h, a.size().w);
  const std::size_t plane = a.size().h * a.size().w, first = a.channels() * plane, second = b.channels() * plane;
  for (std::size_t n = 0; n < a.batch(); ++n) {
    float* const to = y.data() + n * (first + second);
    std::copy_n(a.data() + n * first, first, to);
    std::copy_n(b.data() + n * second, second, to + first);
  }
  return y;
}

}  // namespace engine
