// SPDX-License-Identifier: Apache-2.0
#pragma once

// Convolutions that are trained on a batch, and what both sides of such a row work with.

#include "peers/comparison.hpp"
#include "support/random_layer.hpp"

#include <bitpq/train/fused_gradient.hpp>

#include <Eigen/Core>

namespace bench {

struct trained_layer {
  const char* name;
  bitpq::layer_geometry geometry;
  std::size_t size, block_size, codewords;
};

/// The convolutions of ResNet-50's last stage that read or write 7 x 7 maps alone, with the paper's two block sizes.
inline std::vector<trained_layer> trained_layers() {
  const auto wide = bitpq::layer_geometry::conv2d(512, 512, {3, 3}, {.padding = {1, 1}});
  const auto up = bitpq::layer_geometry::conv2d(2048, 512, {1, 1}),
             down = bitpq::layer_geometry::conv2d(512, 2048, {1, 1});
  return {{"resnet50/layer4.1.conv1", down, 7, 4, 256}, {"resnet50/layer4.1.conv1", down, 7, 8, 256},
          {"resnet50/layer4.1.conv2", wide, 7, 9, 256}, {"resnet50/layer4.1.conv2", wide, 7, 18, 256},
          {"resnet50/layer4.1.conv3", up, 7, 4, 256},   {"resnet50/layer4.1.conv3", up, 7, 8, 256}};
}

/// Codes, a batch of inputs and the gradient of its outputs.
struct training_fixture {
  static constexpr std::size_t batch = 32;

  explicit training_fixture(const trained_layer& l)
      : shape(l),
        g(l.geometry),
        codes(random_codes({g.rows(), g.cols(), l.block_size, l.codewords})),
        unpacked(codes.codes().unpack()),
        input(gaussian(batch * g.in_channels * plane(), 4)),
        output_gradient(gaussian(batch * g.out_channels * plane(), 5)) {}

  [[nodiscard]] std::size_t plane() const { return shape.size * shape.size; }
  [[nodiscard]] std::size_t columns() const { return batch * plane(); }

  /// The inputs of an image, a row per weight of an output, to columns at stride ld.
  template <class T>
  void unfold(std::size_t image, T* to, std::size_t ld) const {
    const auto size = static_cast<std::ptrdiff_t>(shape.size), pad = static_cast<std::ptrdiff_t>(g.conv.padding.h);
    const float* channel = input.data() + image * g.in_channels * plane();
    for (std::size_t c = 0; c < g.in_channels; ++c, channel += plane())
      for (std::size_t tap = 0; tap < g.window(); ++tap, to += ld) {
        const auto down = static_cast<std::ptrdiff_t>(tap / g.kernel.w) - pad;
        const auto right = static_cast<std::ptrdiff_t>(tap % g.kernel.w) - pad;
        T* out = to;
        for (std::ptrdiff_t y = down; y < size + down; ++y, out += size) {
          const bool inside = y >= 0 && y < size;
          const std::ptrdiff_t begin = inside ? std::max<std::ptrdiff_t>(0, -right) : size;
          const std::ptrdiff_t end = inside ? std::min(size, size - right) : size;
          std::fill(out, out + begin, T{0});
          for (std::ptrdiff_t x = begin; x < end; ++x) out[x] = static_cast<T>(channel[y * size + x + right]);
          std::fill(out + end, out + size, T{0});
        }
      }
  }
  /// The gradients of the outputs of an image to columns at stride ld.
  template <class T>
  void gather(std::size_t image, T* to, std::size_t ld) const {
    const float* from = output_gradient.data() + image * g.out_channels * plane();
    for (std::size_t c = 0; c < g.out_channels; ++c, from += plane()) std::copy(from, from + plane(), to + c * ld);
  }

  /// Adds the gradient of the weights up by codeword, codes ready unpacked.
  template <class T>
  void scatter(const T* weight_gradient, std::vector<T>& sums) const {
    const std::size_t d = shape.block_size, blocks = g.cols() / d;
    std::fill(sums.begin(), sums.end(), T{0});
    for (std::size_t i = 0; i < g.rows() * blocks; ++i)
      for (std::size_t k = 0; k < d; ++k) sums[unpacked[i] * d + k] += weight_gradient[i * d + k];
  }

  /// The gradient in double precision.
  [[nodiscard]] std::vector<double> expected() const {
    using matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    const auto index = [](std::size_t n) { return static_cast<Eigen::Index>(n); };
    matrix inputs(index(g.cols()), index(columns())), gradients(index(g.rows()), index(columns()));
    for (std::size_t image = 0; image < batch; ++image) {
      unfold(image, inputs.data() + image * plane(), columns());
      gather(image, gradients.data() + image * plane(), columns());
    }
    const matrix weights = gradients * inputs.transpose();
    std::vector<double> sums(codes.book().values().size());
    scatter(weights.data(), sums);
    return sums;
  }

  [[nodiscard]] std::vector<float> fused() const {
    const std::size_t s = shape.size;
    return bitpq::codeword_gradient(codes, g, {input.data(), batch, g.in_channels, s, s},
                                    {output_gradient.data(), batch, g.out_channels, s, s});
  }

  [[nodiscard]] work amount() const {
    return {g.rows() * g.cols() * columns(), codes.codes().bytes().size() + codes.book().values().size() * 4,
            (input.size() + output_gradient.size()) * sizeof(float), g.rows() * g.cols() * sizeof(float)};
  }

  trained_layer shape;
  bitpq::layer_geometry g;
  bitpq::pq_matrix<float> codes;
  std::vector<std::uint16_t> unpacked;
  std::vector<float> input, output_gradient;
};

inline std::string name_of(const trained_layer& l) {
  return std::string(l.name) + "/n32/d" + std::to_string(l.block_size) + "/k" + std::to_string(l.codewords);
}

}  // namespace bench
