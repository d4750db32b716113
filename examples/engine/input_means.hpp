// SPDX-License-Identifier: Apache-2.0
#pragma once

// The mean of what each column of a layer's weight matrix meets. A layer's mean output is the weights times these plus
// the bias, so that no output need be computed to know it.

#include "engine/tensor.hpp"

#include <bitpq/core/executor.hpp>

#include <vector>

namespace engine {

class input_means {
 public:
  explicit input_means(const bitpq::layer_geometry& geometry) : geometry_(geometry) {}

  /// A batch of inputs, n x in_channels x h x w; every call's of one width.
  void add(const tensor& x, bitpq::executor_ref exec) {
    const bitpq::extent2 in = x.size(), out = geometry_.output_size(in);
    const std::size_t taps = geometry_.kernel.h;
    width_ = in.w;
    sums_.resize(x.channels() * taps * in.w);
    exec.bulk(x.channels(), [&](std::size_t, std::size_t channel) {
      for (std::size_t n = 0; n < x.batch(); ++n)
        for (std::size_t tap = 0; tap < taps; ++tap) {
          double* const sum = sums_.data() + (channel * taps + tap) * in.w;
          for (std::size_t y = 0; y < out.h; ++y) {
            const std::size_t row = y * geometry_.conv.stride.h + tap * geometry_.conv.dilation.h;
            if (row < geometry_.conv.padding.h || row >= in.h + geometry_.conv.padding.h) continue;
            const float* const from =
                x.data() + ((n * x.channels() + channel) * in.h + row - geometry_.conv.padding.h) * in.w;
            for (std::size_t c = 0; c < in.w; ++c) sum[c] += static_cast<double>(from[c]);
          }
        }
    });
    columns_ += x.batch() * out.h * out.w;
    out_width_ = out.w;
  }

  /// One mean per column of the weight matrix, group after group.
  [[nodiscard]] std::vector<double> finish() const {
    const std::size_t kernel = geometry_.kernel.w;
    std::vector<double> means(geometry_.in_channels * geometry_.window());
    for (std::size_t k = 0; k < means.size(); ++k)
      for (std::size_t x = 0; x < out_width_; ++x) {
        const std::size_t at = x * geometry_.conv.stride.w + k % kernel * geometry_.conv.dilation.w;
        if (at < geometry_.conv.padding.w || at >= width_ + geometry_.conv.padding.w) continue;
        means[k] += sums_[k / kernel * width_ + at - geometry_.conv.padding.w] / static_cast<double>(columns_);
      }
    return means;
  }

 private:
  bitpq::layer_geometry geometry_;
  std::vector<double> sums_;  // for each channel and kernel row: the input rows it meets, added up
  std::size_t width_ = 0, out_width_ = 0, columns_ = 0;
};

}  // namespace engine
