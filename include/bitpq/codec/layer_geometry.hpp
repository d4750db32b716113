// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a layer does with its weight matrix: the shape of a linear layer or a two-dimensional convolution. Everything
// else follows from it: the weight matrix, the output size, which inputs a block of weights meets.

#include <bitpq/core/concepts.hpp>

namespace bitpq {
inline namespace v1 {

/// A pair (vertical, horizontal).
struct extent2 {
  std::size_t h = 1;
  std::size_t w = 1;
  friend constexpr bool operator==(const extent2&, const extent2&) = default;
};

/// Options of a convolution beyond its channels, with PyTorch's defaults and meaning.
struct conv2d_options {
  extent2 stride{1, 1};
  extent2 padding{0, 0};
  extent2 dilation{1, 1};
  std::size_t groups = 1;
  friend constexpr bool operator==(const conv2d_options&, const conv2d_options&) = default;
};

/// A linear layer is a convolution with a 1 x 1 kernel over a 1 x 1 image. The weight matrix is rows() x cols(): one
/// row per output channel, columns in the order (input channel of the group, kernel y, kernel x), which is the memory
/// order of PyTorch's out x in/groups x kh x kw weights.
struct layer_geometry {
  enum class kind { linear, conv2d };

  kind type = kind::linear;
  std::size_t out_channels = 0;
  std::size_t in_channels = 0;
  extent2 kernel{1, 1};
  conv2d_options conv{};

  /// y = W x with W out x in. Throws bad_shape for a zero size.
  [[nodiscard]] static layer_geometry linear(std::size_t out_features, std::size_t in_features) {
    return layer_geometry{kind::linear, out_features, in_features, {}, {}}.validated();
  }

  /// Throws bad_shape or bad_params, with the numbers, for sizes that make no convolution.
  [[nodiscard]] static layer_geometry conv2d(std::size_t out_channels, std::size_t in_channels, extent2 kernel,
                                             conv2d_options options = {}) {
    return layer_geometry{kind::conv2d, out_channels, in_channels, kernel, options}.validated();
  }

  [[nodiscard]] constexpr std::size_t groups() const noexcept { return conv.groups; }
  [[nodiscard]] constexpr std::size_t in_per_group() const noexcept { return in_channels / conv.groups; }
  [[nodiscard]] constexpr std::size_t out_per_group() const noexcept { return out_channels / conv.groups; }
  [[nodiscard]] constexpr std::size_t window() const noexcept { return kernel.h * kernel.w; }
  [[nodiscard]] constexpr std::size_t rows() const noexcept { return out_channels; }
  [[nodiscard]] constexpr std::size_t cols() const noexcept { return in_per_group() * window(); }

  /// Size of the output for an input of `in`. Throws bad_shape when the input is empty or the dilated kernel exceeds
  /// the padded input, bad_params for a padding that no image needs.
  [[nodiscard]] extent2 output_size(extent2 in) const {
    require(in.h > 0 && in.w > 0, errc::bad_shape, "a convolution over an image of ", in.h, " x ", in.w);
    return {output_length(in.h, kernel.h, conv.stride.h, conv.padding.h, conv.dilation.h, "height"),
            output_length(in.w, kernel.w, conv.stride.w, conv.padding.w, conv.dilation.w, "width")};
  }

  /// Returns *this or throws, see the factories.
  [[nodiscard]] const layer_geometry& validated() const {
    require(out_channels > 0 && in_channels > 0, errc::bad_shape, "layer of ", in_channels, " inputs and ",
            out_channels, " outputs");
    require(kernel.h > 0 && kernel.w > 0, errc::bad_shape, "kernel of ", kernel.h, " x ", kernel.w);
    require(conv.stride.h > 0 && conv.stride.w > 0, errc::bad_params, "stride of ", conv.stride.h, " x ",
            conv.stride.w);
    require(conv.dilation.h > 0 && conv.dilation.w > 0, errc::bad_params, "dilation of ", conv.dilation.h, " x ",
            conv.dilation.w);
    require(conv.groups > 0 && in_channels % conv.groups == 0 && out_channels % conv.groups == 0, errc::bad_shape,
            conv.groups, " groups do not divide ", in_channels, " inputs and ", out_channels, " outputs");
    const std::size_t taps = checked_product(kernel.h, kernel.w, "kernel");
    static_cast<void>(checked_product(out_channels, checked_product(in_per_group(), taps, "weights"), "weights"));
    return *this;
  }

  friend constexpr bool operator==(const layer_geometry&, const layer_geometry&) = default;

 private:
  static constexpr std::size_t max_padding = std::size_t{1} << 31;

  static std::size_t output_length(std::size_t in, std::size_t kernel, std::size_t stride, std::size_t padding,
                                   std::size_t dilation, const char* what) {
    static_cast<void>(checked_product(dilation, kernel, "dilated kernel"));
    const std::size_t span = dilation * (kernel - 1) + 1;
    require(padding <= max_padding, errc::bad_params, "padding of ", padding, " exceeds ", max_padding);
    require(in + 2 * padding >= span, errc::bad_shape, "kernel ", what, " ", span, " exceeds the padded input's ", in,
            " + 2 x ", padding);
    return (in + 2 * padding - span) / stride + 1;
  }
};

}  // namespace v1
}  // namespace bitpq
