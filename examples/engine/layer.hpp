// SPDX-License-Identifier: Apache-2.0
#pragma once

// A layer of the host: dense or compressed, the caller need not know. This is all that plugging bitpq into an engine
// takes: keep the prepacked codes beside the bias, and call conv2d.

#include "engine/tensor.hpp"

#include <bitpq/inference.hpp>

#include <string>
#include <variant>
#include <vector>

namespace engine {

/// How layers are computed.
struct arithmetic {
  const bitpq::kernel_table<float>* kernels = &bitpq::kernels<float>();  ///< the best of this machine
  bitpq::precision precision = bitpq::precision::exact;                  ///< of layers that run on codes
};

class layer {
 public:
  layer() = default;

  /// Uncompressed: geometry.rows() x geometry.cols() weights, one bias per output. Throws bad_shape for others.
  layer(const bitpq::layer_geometry& geometry, std::vector<float> weights, std::vector<float> bias,
        const arithmetic& how = {})
      : geometry_(geometry), weights_(std::move(weights)), bias_(std::move(bias)), kernels_(how.kernels) {
    check(std::get<std::vector<float>>(weights_).size());
  }

  /// Runs on codes. Only the codes are kept, in the order the kernels read.
  layer(const bitpq::layer_geometry& geometry, const bitpq::pq_matrix<float>& codes, std::vector<float> bias,
        const arithmetic& how = {})
      : geometry_(geometry),
        weights_(bitpq::prepacked_matrix<float>(codes, *how.kernels, how.precision)),
        bias_(std::move(bias)),
        kernels_(how.kernels) {
    check(codes.rows() * codes.cols());
  }

  [[nodiscard]] const bitpq::layer_geometry& geometry() const noexcept { return geometry_; }
  [[nodiscard]] const std::vector<float>& bias() const noexcept { return bias_; }

  /// The weights of an uncompressed layer.
  [[nodiscard]] bitpq::matrix_view<const float> dense_weights() const {
    return {std::get<std::vector<float>>(weights_).data(), geometry_.rows(), geometry_.cols()};
  }

  /// Bytes that weights and bias take while the layer runs.
  [[nodiscard]] std::size_t bytes() const noexcept {
    std::size_t weights = geometry_.rows() * geometry_.cols() * sizeof(float);
    if (const auto* codes = std::get_if<bitpq::prepacked_matrix<float>>(&weights_)) weights = codes->bytes();
    return weights + bias_.size() * sizeof(float);
  }

  /// Which way bitpq computes the layer for a batch of inputs of that size.
  [[nodiscard]] std::string path(std::size_t batch, bitpq::extent2 size) const {
    if (const auto* codes = std::get_if<bitpq::prepacked_matrix<float>>(&weights_))
      return to_string(bitpq::plan_conv2d(*codes, geometry_, batch, size).path);
    return "dense";
  }

  /// What comes out of inputs of that shape. Throws bad_shape for inputs that the layer cannot take.
  [[nodiscard]] tensor_shape output_shape(const tensor_shape& x) const {
    const bitpq::extent2 out = geometry_.output_size({x.h, x.w});
    return {x.n, geometry_.out_channels, out.h, out.w};
  }

  /// y = act(W x + bias + residual); a linear layer is a convolution over 1 x 1 maps. The residual may be empty, or y
  /// itself. Allocates nothing, once the thread has the scratch that its layers take.
  void run(maps_in x, maps_out y, bool relu, bitpq::executor_ref exec, maps_in residual = {}) const {
    const bitpq::conv_epilogue<float> fused{bias_, residual, relu};
    if (const auto* codes = std::get_if<bitpq::prepacked_matrix<float>>(&weights_))
      bitpq::conv2d(*codes, geometry_, x, y, fused, exec);
    else
      bitpq::dense_conv2d(dense_weights(), geometry_, x, y, fused, exec, *kernels_);
  }

  /// The same into a new tensor.
  [[nodiscard]] tensor run(const tensor& x, bool relu, bitpq::executor_ref exec,
                           const tensor* residual = nullptr) const {
    tensor y(output_shape(x.shape()));
    run(x.view(), y.view(), relu, exec, residual != nullptr ? residual->view() : maps_in());
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
  const bitpq::kernel_table<float>* kernels_ = &bitpq::kernels<float>();
};

}  // namespace engine
