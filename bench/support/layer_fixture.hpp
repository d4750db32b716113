// SPDX-License-Identifier: Apache-2.0
#pragma once

// A layer with random codes, its dense weights, inputs and outputs, and the calls that are timed.

#include "support/networks.hpp"
#include "support/random_layer.hpp"
#include "support/reference.hpp"

#include <bitpq/inference.hpp>

namespace bench {

/// How a layer is compressed.
struct setting {
  std::size_t block_size, codewords, stages = 1;
};

class layer_fixture {
 public:
  layer_fixture(const layer& l, setting s)
      : layer_(l),
        input_(gaussian(l.geometry.in_channels * (l.is_linear() ? l.columns : l.size * l.size), 4)),
        y_(l.geometry.out_channels * l.output_columns()),
        reference_(y_.size()) {
    const auto matrix = random_codes({l.geometry.rows(), l.geometry.cols(), s.block_size, s.codewords, 1, s.stages});
    codes_ = bitpq::prepack(matrix);
    dense_ = decoded(matrix);
    on_dense();
  }

  [[nodiscard]] const layer& shape() const { return layer_; }
  [[nodiscard]] const bitpq::prepacked_matrix<float>& codes() const { return codes_; }

  void on_codes(bitpq::gemm_path path = bitpq::gemm_path::automatic, bitpq::executor_ref exec = {}) {
    const bitpq::layer_geometry& g = layer_.geometry;
    if (layer_.is_linear())
      bitpq::gemm(codes_, {input_.data(), g.in_channels, layer_.columns}, {y_.data(), g.out_channels, layer_.columns},
                  {}, exec, path);
    else
      bitpq::conv2d(codes_, g, image(), maps(y_), {}, exec, path);
  }

  void on_dense() {
    const bitpq::layer_geometry& g = layer_.geometry;
    const bitpq::matrix_view<const float> w(dense_.data(), g.rows(), g.cols());
    if (layer_.is_linear())
      bitpq::dense_gemm<float>(w, {input_.data(), g.in_channels, layer_.columns},
                               {reference_.data(), g.out_channels, layer_.columns});
    else
      bitpq::dense_conv2d<float>(w, g, image(), maps(reference_));
  }

  /// Of the last on_codes.
  [[nodiscard]] const std::vector<float>& output() const { return y_; }
  /// Of the last on_codes, against the dense layer.
  [[nodiscard]] double error() const { return relative_error(y_, reference_); }

 private:
  [[nodiscard]] bitpq::nchw_view<const float> image() const {
    return {input_.data(), 1, layer_.geometry.in_channels, layer_.size, layer_.size};
  }
  [[nodiscard]] bitpq::nchw_view<float> maps(std::vector<float>& v) const {
    const bitpq::extent2 out = layer_.geometry.output_size({layer_.size, layer_.size});
    return {v.data(), 1, layer_.geometry.out_channels, out.h, out.w};
  }

  layer layer_;
  bitpq::prepacked_matrix<float> codes_;
  std::vector<float> dense_, input_, y_, reference_;
};

}  // namespace bench
