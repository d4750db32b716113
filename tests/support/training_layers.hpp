// SPDX-License-Identifier: Apache-2.0
#pragma once

// Layers to train: formats and geometries with everything that a gradient must heed, and what it is by definition.

#include "support/catch.hpp"
#include "support/layers.hpp"
#include "support/random_pq.hpp"
#include "support/reference.hpp"

#include <bitpq/train/fused_gradient.hpp>

#include <vector>

namespace bitpq_test {

/// A layer with a tail block, several codebooks, stages, row scales, groups or whatever its format says.
struct subject {
  const char* name;
  bitpq::layer_geometry geometry;
  bitpq::extent2 image;
  std::size_t batch;
  bitpq::code_format format;
  bool scaled = false;
};

inline std::vector<subject> subjects() {
  using bitpq::layer_geometry;
  return {
      {"linear with a tail", layer_geometry::linear(40, 30), {1, 1}, 21, {40, 30, 4, 16}},
      {"few rows, many codewords", layer_geometry::linear(5, 12), {1, 1}, 3, {5, 12, 3, 64}, true},
      {"one codeword", layer_geometry::linear(37, 7), {1, 1}, 33, {37, 7, 7, 1}},
      {"two codebooks, two stages", layer_geometry::linear(24, 40), {1, 1}, 19, {24, 40, 5, 10, 2, 2}, true},
      {"long blocks", layer_geometry::linear(12, 46), {1, 1}, 40, {12, 46, 23, 4}},
      {"3 x 3", layer_geometry::conv2d(18, 4, {3, 3}, {.padding = {1, 1}}), {5, 7}, 3, {18, 36, 9, 8}},
      {"strided, dilated, blocks across channels",
       layer_geometry::conv2d(10, 3, {3, 2}, {.stride = {2, 1}, .padding = {2, 0}, .dilation = {1, 3}}),
       {9, 8},
       2,
       {10, 18, 4, 6, 1, 3},
       true},
      {"grouped", layer_geometry::conv2d(12, 6, {3, 3}, {.padding = {1, 1}, .groups = 3}), {6, 6}, 2, {12, 18, 9, 4}},
      {"depthwise",
       layer_geometry::conv2d(10, 10, {3, 3}, {.padding = {1, 1}, .groups = 10}),
       {5, 5},
       4,
       {10, 9, 9, 6}},
      {"1 x 1, strided", layer_geometry::conv2d(33, 8, {1, 1}, {.stride = {2, 2}}), {7, 7}, 30, {33, 8, 4, 5}, true},
  };
}

/// What a subject reads and the gradient of what it writes, both as matrices of each group too.
template <class T>
struct pass {
  subject s;
  bitpq::pq_matrix<T> w;
  bitpq::extent2 out;
  std::vector<T> x, dy;

  explicit pass(const subject& from)
      : s(from),
        w(random_pq<T>(from.format, 3, bitpq::codeword_type::f32, from.scaled)),
        out(from.geometry.output_size(from.image)),
        x(random_values<T>(from.batch * from.geometry.in_channels * from.image.h * from.image.w, 4)),
        dy(random_values<T>(from.batch * from.geometry.out_channels * out.h * out.w, 5)) {}

  [[nodiscard]] bitpq::nchw_view<const T> inputs() const {
    return {x.data(), s.batch, s.geometry.in_channels, s.image.h, s.image.w};
  }
  [[nodiscard]] bitpq::nchw_view<const T> output_gradients() const {
    return {dy.data(), s.batch, s.geometry.out_channels, out.h, out.w};
  }
  [[nodiscard]] bool linear() const { return s.geometry.type == bitpq::layer_geometry::kind::linear; }

  [[nodiscard]] std::vector<T> fused(bitpq::gradient_reduction reduction = bitpq::gradient_reduction::sum,
                                     bitpq::executor_ref exec = {}) const {
    if (!linear()) return bitpq::codeword_gradient(w, s.geometry, inputs(), output_gradients(), reduction, exec);
    return bitpq::codeword_gradient(w, bitpq::matrix_view<const T>(x.data(), s.batch, w.cols()).transposed(),
                                    bitpq::matrix_view<const T>(dy.data(), s.batch, w.rows()).transposed(), reduction,
                                    exec);
  }

  /// The gradient of the weights, by Eigen from the definition of im2col.
  [[nodiscard]] row_major dense() const {
    const auto rows = static_cast<Eigen::Index>(s.geometry.out_per_group());
    row_major all(static_cast<Eigen::Index>(w.rows()), static_cast<Eigen::Index>(w.cols()));
    for (std::size_t g = 0; g < s.geometry.groups(); ++g) {
      const row_major columns = naive_columns(s.geometry, g, inputs());
      row_major gradients(rows, columns.cols());
      for (Eigen::Index r = 0; r < rows; ++r)
        for (Eigen::Index c = 0; c < columns.cols(); ++c) {
          const std::size_t channel = g * s.geometry.out_per_group() + static_cast<std::size_t>(r);
          const std::size_t plane = out.h * out.w, column = static_cast<std::size_t>(c);
          gradients(r, c) =
              static_cast<double>(dy[(column / plane * s.geometry.out_channels + channel) * plane + column % plane]);
        }
      all.middleRows(static_cast<Eigen::Index>(g) * rows, rows) = gradients * columns.transpose();
    }
    return all;
  }

  /// <dy, y> of the layer with other codewords, in double precision: its gradient is the one looked for.
  [[nodiscard]] double loss(const std::vector<double>& words) const {
    const bitpq::code_format& f = w.format();
    const bitpq::pq_matrix<double> moved(
        f.rows, f.cols, bitpq::codebook<double>(words, f.books(), f.codewords, f.block_size, bitpq::codeword_type::f64),
        w.codes(), f.stages, scales());
    const std::vector<double> weights = decoded(moved);
    const std::vector<double> y = reference_convolution(s.geometry, weights, as_double(x), s.batch, s.image);
    double sum = 0;
    for (std::size_t i = 0; i < y.size(); ++i) sum += y[i] * static_cast<double>(dy[i]);
    return sum;
  }
  [[nodiscard]] bitpq::row_scales<double> scales() const {
    const std::vector<double> values(w.scales().values().begin(), w.scales().values().end());
    return bitpq::row_scales<double>(values);
  }
};

}  // namespace bitpq_test
