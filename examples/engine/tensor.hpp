// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a host has anyway: a tensor type of its own. bitpq reads and writes it through a view.

#include <bitpq/codec/layer_geometry.hpp>
#include <bitpq/core/aligned_buffer.hpp>
#include <bitpq/core/nchw_view.hpp>

namespace engine {

/// A batch of feature maps, n x c x h x w, contiguous.
class tensor {
 public:
  tensor() = default;
  tensor(std::size_t n, std::size_t c, std::size_t h, std::size_t w) : values_(n * c * h * w), shape_{n, c, h, w} {}

  [[nodiscard]] std::size_t batch() const noexcept { return shape_[0]; }
  [[nodiscard]] std::size_t channels() const noexcept { return shape_[1]; }
  [[nodiscard]] bitpq::extent2 size() const noexcept { return {shape_[2], shape_[3]}; }
  [[nodiscard]] bool empty() const noexcept { return values_.empty(); }
  [[nodiscard]] float* data() noexcept { return values_.data(); }
  [[nodiscard]] const float* data() const noexcept { return values_.data(); }

  [[nodiscard]] bitpq::nchw_view<float> view() { return {data(), shape_[0], shape_[1], shape_[2], shape_[3]}; }
  [[nodiscard]] bitpq::nchw_view<const float> view() const {
    return {data(), shape_[0], shape_[1], shape_[2], shape_[3]};
  }

 private:
  bitpq::aligned_buffer<float> values_;
  std::size_t shape_[4] = {0, 0, 0, 0};
};

}  // namespace engine
