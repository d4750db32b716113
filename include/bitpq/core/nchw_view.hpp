// SPDX-License-Identifier: Apache-2.0
#pragma once

// A non-owning view of a batch of images or feature maps, indexed (n, c, h, w) whatever the memory order is.

#include <bitpq/core/concepts.hpp>

#include <array>
#include <span>
#include <type_traits>

namespace bitpq {
inline namespace v1 {

/// View of n x c x h x w elements; element (n, c, y, x) lies at the sum of index times stride over the dimensions.
template <class T>
class nchw_view {
 public:
  using element_type = T;
  using value_type = std::remove_cv_t<T>;

  constexpr nchw_view() = default;

  /// Contiguous NCHW. Throws bad_shape for a null pointer with a non-empty shape or an overflowing size.
  constexpr nchw_view(T* data, std::size_t n, std::size_t c, std::size_t h, std::size_t w)
      : nchw_view(data, {n, c, h, w}, dense_strides(n, c, h, w)) {}

  /// Any strides, counted in elements.
  constexpr nchw_view(T* data, std::array<std::size_t, 4> extents, std::array<std::ptrdiff_t, 4> strides)
      : data_(data), extents_(extents), strides_(strides) {
    require(data != nullptr || size() == 0, errc::bad_shape, "view of ", extents[0], " x ", extents[1], " x ",
            extents[2], " x ", extents[3], " over a null pointer");
  }

  /// Contiguous NCHW over a span. Throws bad_shape unless it holds n * c * h * w elements.
  constexpr nchw_view(std::span<T> data, std::size_t n, std::size_t c, std::size_t h, std::size_t w)
      : nchw_view(data.data(), n, c, h, w) {
    require(data.size() == size(), errc::bad_shape, "span of ", data.size(), " elements viewed as ", n, " x ", c, " x ",
            h, " x ", w);
  }

  /// Channels last in memory (NHWC), contiguous.
  [[nodiscard]] static constexpr nchw_view nhwc(T* data, std::size_t n, std::size_t c, std::size_t h, std::size_t w) {
    static_cast<void>(dense_strides(n, c, h, w));  // for its overflow check
    const auto sc = static_cast<std::ptrdiff_t>(c);
    const auto sw = static_cast<std::ptrdiff_t>(w) * sc;
    return nchw_view(data, {n, c, h, w}, {static_cast<std::ptrdiff_t>(h) * sw, 1, sw, sc});
  }

  template <class U>
  requires(std::same_as<T, const U>) constexpr nchw_view(
      const nchw_view<U>& other) noexcept  // NOLINT(google-explicit-constructor)
      : data_(other.data_handle()),
        extents_{other.extent(0), other.extent(1), other.extent(2), other.extent(3)},
        strides_{other.stride(0), other.stride(1), other.stride(2), other.stride(3)} {}

  [[nodiscard]] constexpr T* data_handle() const noexcept { return data_; }
  [[nodiscard]] constexpr std::size_t extent(std::size_t dim) const noexcept { return extents_[dim]; }
  [[nodiscard]] constexpr std::ptrdiff_t stride(std::size_t dim) const noexcept { return strides_[dim]; }
  [[nodiscard]] constexpr std::size_t batch() const noexcept { return extents_[0]; }
  [[nodiscard]] constexpr std::size_t channels() const noexcept { return extents_[1]; }
  [[nodiscard]] constexpr std::size_t height() const noexcept { return extents_[2]; }
  [[nodiscard]] constexpr std::size_t width() const noexcept { return extents_[3]; }
  [[nodiscard]] constexpr std::size_t size() const noexcept {
    return extents_[0] * extents_[1] * extents_[2] * extents_[3];
  }
  [[nodiscard]] constexpr bool empty() const noexcept { return size() == 0; }

  [[nodiscard]] constexpr T& operator()(std::size_t n, std::size_t c, std::size_t y, std::size_t x) const noexcept {
    return data_[static_cast<std::ptrdiff_t>(n) * strides_[0] + static_cast<std::ptrdiff_t>(c) * strides_[1] +
                 static_cast<std::ptrdiff_t>(y) * strides_[2] + static_cast<std::ptrdiff_t>(x) * strides_[3]];
  }

 private:
  static constexpr std::array<std::ptrdiff_t, 4> dense_strides(std::size_t n, std::size_t c, std::size_t h,
                                                               std::size_t w) {
    const std::size_t plane = checked_product(h, w, "image plane");
    const std::size_t image = checked_product(c, plane, "image");
    static_cast<void>(checked_product(n, image, "batch of images"));
    return {static_cast<std::ptrdiff_t>(image), static_cast<std::ptrdiff_t>(plane), static_cast<std::ptrdiff_t>(w), 1};
  }

  T* data_ = nullptr;
  std::array<std::size_t, 4> extents_{0, 0, 0, 0};
  std::array<std::ptrdiff_t, 4> strides_{0, 0, 0, 1};
};

}  // namespace v1
}  // namespace bitpq
