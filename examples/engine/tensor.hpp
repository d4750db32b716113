// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a host has anyway: a tensor type of its own. bitpq reads and writes it through a view.

#include <bitpq/codec/layer_geometry.hpp>
#include <bitpq/core/aligned_buffer.hpp>
#include <bitpq/core/nchw_view.hpp>

namespace engine {

/// n images of c maps of h x w pixels.
struct tensor_shape {
  std::size_t n = 0, c = 0, h = 0, w = 0;

  [[nodiscard]] std::size_t size() const noexcept { return n * c * h * w; }
  friend bool operator==(const tensor_shape&, const tensor_shape&) = default;
};

/// Feature maps that somebody else owns, read and written. What computes takes these, so that it need not know who
/// planned the memory.
using maps_in = bitpq::nchw_view<const float>;
using maps_out = bitpq::nchw_view<float>;

template <class T>
tensor_shape shape_of(const bitpq::nchw_view<T>& x) noexcept {
  return {x.batch(), x.channels(), x.height(), x.width()};
}

/// A batch of feature maps, n x c x h x w, contiguous.
class tensor {
 public:
  tensor() = default;
  tensor(std::size_t n, std::size_t c, std::size_t h, std::size_t w) : tensor(tensor_shape{n, c, h, w}) {}
  explicit tensor(const tensor_shape& shape) : values_(shape.size()), shape_(shape) {}

  [[nodiscard]] const tensor_shape& shape() const noexcept { return shape_; }
  [[nodiscard]] std::size_t batch() const noexcept { return shape_.n; }
  [[nodiscard]] std::size_t channels() const noexcept { return shape_.c; }
  [[nodiscard]] bitpq::extent2 size() const noexcept { return {shape_.h, shape_.w}; }
  [[nodiscard]] bool empty() const noexcept { return values_.empty(); }
  [[nodiscard]] float* data() noexcept { return values_.data(); }
  [[nodiscard]] const float* data() const noexcept { return values_.data(); }

  [[nodiscard]] maps_out view() { return {data(), shape_.n, shape_.c, shape_.h, shape_.w}; }
  [[nodiscard]] maps_in view() const { return {data(), shape_.n, shape_.c, shape_.h, shape_.w}; }

 private:
  bitpq::aligned_buffer<float> values_;
  tensor_shape shape_;
};

}  // namespace engine
