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

  /// Uncompressed: geometry.rows() x geometry.cols() weights, one bias per output. Throws bad_shape for others.
  layer(const bitpq::layer_geometry& geometry, std::vector<float> weights, std::vector<float> bias)
      : geometry_(geometry), weights_(std::move(weights)), bias_(std::move(bias)) {
    check(std::get<std::vector<float>>(weights_).size());
  }

  /// Runs on codes. Only the codes are kept, in the order the kernels read.
  layer(const bitpq::layer_geometry& geometry, const bitpq::pq_matrix<float>& codes, std::vector<float> bias)
      : geometry_(geometry), weights_(bitpq::prepack(codes)), bias_(std::move(bias)) {
    check(codes.rows() * codes.cols());
  }

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
  void check(std::size_t weights) const {
    bitpq::require(weights == geometry_.rows() * geometry_.cols() && bias_.size() == geometry_.out_channels,
                   bitpq::errc::bad_shape, weights, " weights and ", bias_.size(), " biases for a layer of ",
                   geometry_.rows(), " x ", geometry_.cols());
  }

  bitpq::layer_geometry geometry_;
  std::variant<std::vector<float>, bitpq::prepacked_matrix<float>> weights_;
  std::vector<float> bias_;
};

}  // namespace engine
