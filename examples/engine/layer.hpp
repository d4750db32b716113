// SPDX-License-Identifier: Apache-2.0
#pragma once

// A layer of the host: dense or compressed, the caller need not know. This is all that plugging bitpq into an engine
// takes: keep the prepacked codes beside the bias, and call conv2d.

#include "engine/tensor.hpp"

#include <bitpq/inference.hpp>

#include <variant>
#include <vector>

namespace engine {

class layer {
 public:
  layer() = default;

  /// Uncompressed: geometry.rows() x geometry.cols() weights, one bias per output.
  layer(const bitpq::layer_geometry& geometry, std::vector<float> weights, std::vector<float> bias)
      : geometry_(geometry), weights_(std::move(weights)), bias_(std::move(bias)) {}

  /// Runs on codes. Only the codes are kept, in the order the kernels read.
  layer(const bitpq::layer_geometry& geometry, const bitpq::pq_matrix<float>& codes, std::vector<float> bias)
      : geometry_(geometry), weights_(bitpq::prepack(codes)), bias_(std::move(bias)) {}

  [[nodiscard]] const bitpq::layer_geometry& geometry() const noexcept { return geometry_; }
  [[nodiscard]] const std::vector<float>& bias() const noexcept { return bias_; }

  /// The weights of an uncompressed layer.
  [[nodiscard]] bitpq::matrix_view<const float> dense_weights() const {
    return {std::get<std::vector<float>>(weights_).data(), geometry_.rows(), geometry_.cols()};
  }

  /// act(W x + bias + residual); a linear layer is a convolution over 1 x 1 maps.
  [[nodiscard]] tensor run(const tensor& x, bool relu, bitpq::executor_ref exec,
                           const tensor* residual = nullptr) const {
    const bitpq::extent2 out = geometry_.output_size(x.size());
    tensor y(x.batch(), geometry_.out_channels, out.h, out.w);
    bitpq::conv_epilogue<float> fused{bias_, {}, relu};
    if (residual != nullptr) fused.residual = residual->view();
    if (const auto* codes = std::get_if<bitpq::prepacked_matrix<float>>(&weights_))
      bitpq::conv2d(*codes, geometry_, x.view(), y.view(), fused, exec);
    else
      bitpq::dense_conv2d(dense_weights(), geometry_, x.view(), y.view(), fused, exec);
    return y;
  }

 private:
  bitpq::layer_geometry geometry_;
  std::variant<std::vector<float>, bitpq::prepacked_matrix<float>> weights_;
  std::vector<float> bias_;
};

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

/// Batch norm at inference is an affine map per channel; folded, it costs nothing. Scales the rows of `weights`
/// (channels x columns) and returns the bias. All arguments have one element per channel.
inline std::vector<float> fold_batch_norm(std::vector<float>& weights, const std::vector<float>& scale,
                                          const std::vector<float>& shift, const std::vector<float>& mean,
                                          const std::vector<float>& variance, float epsilon = 1e-5F) {
  const std::size_t channels = scale.size(), columns = weights.size() / channels;
  std::vector<float> bias(channels);
  for (std::size_t c = 0; c < channels; ++c) {
    const float factor = scale[c] / std::sqrt(variance[c] + epsilon);
    for (std::size_t i = 0; i < columns; ++i) weights[c * columns + i] *= factor;
    bias[c] = shift[c] - mean[c] * factor;
  }
  return bias;
}

}  // namespace engine
