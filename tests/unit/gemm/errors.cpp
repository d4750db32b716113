// SPDX-License-Identifier: Apache-2.0

#include "support/bad_inputs.hpp"
#include "support/random_pq.hpp"

#include <bitpq/gemm/dense.hpp>

using bitpq::errc;
using bitpq::gemm_path;
using bitpq::layer_geometry;
using bitpq::matrix_view;
using bitpq::nchw_view;
using bitpq_test::check_bad_inputs;

TEST_CASE("bad products are refused with their numbers and write nothing") {
  const bitpq::pq_matrix<float> w = bitpq_test::random_pq<float>({6, 8, 4, 5, 1}, 1);
  const bitpq::prepacked_matrix<float> packed = bitpq::prepack(w);
  const std::vector<float> dense = bitpq_test::decoded(w), data(64, 1.0F);
  std::vector<float> out(64, 7.0F);
  const auto in = [&](std::size_t rows, std::size_t cols) { return matrix_view<const float>(data.data(), rows, cols); };
  const auto y = [&](std::size_t rows, std::size_t cols) { return matrix_view<float>(out.data(), rows, cols); };
  const std::span<const float> some(data);
  const std::span<float> target(out);
  const bitpq::epilogue<float> short_bias{some.first(5), {}, false}, narrow{{}, in(6, 2), false};
  const matrix_view<const float> weights(dense.data(), 6, 8), slanted(data.data(), 6, 8, 1, 6);
  check_bad_inputs({
      {errc::bad_shape, "weights of 6 x 8 times an input of 7 x 3", [&] { gemm(w, in(7, 3), y(6, 3)); }},
      {errc::bad_shape, "weights of 6 x 8 times an input of 3 x 8", [&] { gemm(packed, in(3, 8), y(6, 3)); }},
      {errc::bad_shape, "output of 5 x 3 for a product of 6 x 3", [&] { gemm(packed, in(8, 3), y(5, 3)); }},
      {errc::bad_shape, "output of 6 x 4 for a product of 6 x 3", [&] { gemm(w, in(8, 3), y(6, 4)); }},
      {errc::bad_shape, "output of 6 x 1 for a product of 6 x 0", [&] { gemm(w, in(8, 0), y(6, 1)); }},
      {errc::bad_shape, "bias of 5 elements for 6 outputs", [&] { gemm(packed, in(8, 3), y(6, 3), short_bias); }},
      {errc::bad_shape, "residual of 6 x 2 for an output of 6 x 3", [&] { gemm(w, in(8, 3), y(6, 3), narrow); }},
      {errc::bad_shape, "residual of 6 x 2 for an output of 6 x 3",
       [&] { gemm(packed, in(8, 3), y(6, 3), narrow, {}, gemm_path::gemv); }},
      {errc::bad_shape, "weights of 6 x 8 times an input of 9 x 1",
       [&] { gemv(packed, some.first(9), target.first(6)); }},
      {errc::bad_shape, "output of 7 x 1 for a product of 6 x 1",
       [&] { gemv(packed, some.first(8), target.first(7)); }},
      {errc::bad_shape, "weights of 0 x 0 times an input of 8 x 3",
       [&] { gemm(bitpq::prepacked_matrix<float>(), in(8, 3), y(6, 3)); }},
      {errc::bad_shape, "weights of 6 x 8 times an input of 7 x 3",
       [&] { bitpq::dense_gemm(weights, in(7, 3), y(6, 3)); }},
      {errc::bad_shape, "output of 6 x 2 for a product of 6 x 3",
       [&] { bitpq::dense_gemm(weights, in(8, 3), y(6, 2)); }},
      {errc::bad_shape, "dense weights need contiguous rows, column stride is 6",
       [&] { bitpq::dense_gemm(slanted, in(8, 3), y(6, 3)); }},
      {errc::bad_shape, "dense weights of 6 rows have no columns",
       [&] { bitpq::dense_gemm(matrix_view<const float>(out.data(), 6, 0), in(0, 3), y(6, 3)); }},
  });
  CHECK(out == std::vector<float>(64, 7.0F));
}

TEST_CASE("bad convolutions are refused with their numbers and write nothing") {
  // 4 outputs, 2 inputs, 3 x 3 over images of 5 x 6: outputs of 3 x 4.
  const bitpq::pq_matrix<float> w = bitpq_test::random_pq<float>({4, 18, 9, 5, 1}, 1);
  const bitpq::prepacked_matrix<float> packed = bitpq::prepack(w);
  const layer_geometry g = layer_geometry::conv2d(4, 2, {3, 3});
  const std::vector<float> dense = bitpq_test::decoded(w), data(256, 1.0F);
  std::vector<float> out(256, 7.0F);
  const auto in = [&](std::size_t n, std::size_t c, std::size_t h, std::size_t wide) {
    return nchw_view<const float>(data.data(), n, c, h, wide);
  };
  const auto y = [&](std::size_t n, std::size_t c, std::size_t h, std::size_t wide) {
    return nchw_view<float>(out.data(), n, c, h, wide);
  };
  layer_geometry no_groups = g;
  no_groups.conv.groups = 0;
  layer_geometry wide_padding = g;
  wide_padding.conv.padding = {4, 4};
  const bitpq::conv_epilogue<float> bias{std::span<const float>(data).first(3), {}, false};
  const bitpq::conv_epilogue<float> residual{{}, in(1, 4, 3, 3), false};
  const matrix_view<const float> slanted(dense.data(), 4, 18, 1, 4), weights(dense.data(), 4, 18);
  check_bad_inputs({
      {errc::unsupported, "path gemv: takes convolutions of one group and up to 8 output pixels, not of 1 and 12",
       [&] { conv2d(packed, g, in(1, 2, 5, 6), y(1, 4, 3, 4), {}, {}, gemm_path::gemv); }},
      {errc::unsupported, "path gemv: takes convolutions of one group and up to 8 output pixels, not of 1 and 12",
       [&] { conv2d(w, g, in(1, 2, 5, 6), y(1, 4, 3, 4), {}, {}, gemm_path::gemv); }},
      {errc::bad_shape, "weights of 4 x 18 for a convolution with 4 x 8",
       [&] {
         conv2d(packed, layer_geometry::conv2d(4, 2, {2, 2}), in(1, 2, 5, 6), y(1, 4, 4, 5));
       }},
      {errc::bad_shape, "weights of 4 x 18 for a convolution with 4 x 9",
       [&] {
         conv2d(w, layer_geometry::conv2d(4, 2, {3, 3}, {{1, 1}, {0, 0}, {1, 1}, 2}), in(1, 2, 5, 6), y(1, 4, 3, 4));
       }},
      {errc::bad_shape, "0 groups do not divide 2 inputs and 4 outputs",
       [&] { conv2d(packed, no_groups, in(1, 2, 5, 6), y(1, 4, 3, 4)); }},
      {errc::bad_shape, "input of 1 x 3 x 5 x 6, expected 1 x 2 x 5 x 6",
       [&] { conv2d(packed, g, in(1, 3, 5, 6), y(1, 4, 3, 4)); }},
      {errc::bad_shape, "output of 1 x 4 x 3 x 3, expected 1 x 4 x 3 x 4",
       [&] { conv2d(w, g, in(1, 2, 5, 6), y(1, 4, 3, 3)); }},
      {errc::bad_shape, "output of 2 x 4 x 3 x 4, expected 1 x 4 x 3 x 4",
       [&] { conv2d(packed, g, in(1, 2, 5, 6), y(2, 4, 3, 4)); }},
      {errc::bad_shape, "output of 1 x 3 x 3 x 4, expected 1 x 4 x 3 x 4",
       [&] { conv2d(packed, g, in(1, 2, 5, 6), y(1, 3, 3, 4)); }},
      {errc::bad_shape, "kernel height 3 exceeds the padded input's 2 + 2 x 0",
       [&] { conv2d(packed, g, in(1, 2, 2, 6), y(1, 4, 3, 4)); }},
      {errc::bad_shape, "a convolution over an image of 5 x 0",
       [&] { conv2d(packed, wide_padding, in(1, 2, 5, 0), y(1, 4, 11, 6)); }},
      {errc::bad_shape, "bias of 3 elements for 4 outputs",
       [&] { conv2d(packed, g, in(1, 2, 5, 6), y(1, 4, 3, 4), bias); }},
      {errc::bad_shape, "residual of 1 x 4 x 3 x 3, expected 1 x 4 x 3 x 4",
       [&] { conv2d(w, g, in(1, 2, 5, 6), y(1, 4, 3, 4), residual); }},
      {errc::bad_shape, "dense weights need contiguous rows, column stride is 4",
       [&] { bitpq::dense_conv2d(slanted, g, in(1, 2, 5, 6), y(1, 4, 3, 4)); }},
      {errc::bad_shape, "input of 1 x 1 x 5 x 6, expected 1 x 2 x 5 x 6",
       [&] { bitpq::dense_conv2d(weights, g, in(1, 1, 5, 6), y(1, 4, 3, 4)); }},
  });
  CHECK(out == std::vector<float>(256, 7.0F));
}

TEST_CASE("products of nothing are nothing") {
  const bitpq::pq_matrix<float> w = bitpq_test::random_pq<float>({6, 8, 4, 5, 1}, 1);
  gemm(w, matrix_view<const float>(nullptr, 8, 0), matrix_view<float>(nullptr, 6, 0));
  gemm(bitpq::pq_matrix<float>(), {}, {});
  gemm(bitpq::prepacked_matrix<float>(), {}, {});
  conv2d(w, layer_geometry::conv2d(6, 8, {1, 1}), nchw_view<const float>(nullptr, 0, 8, 3, 3),
         nchw_view<float>(nullptr, 0, 6, 3, 3));
  SUCCEED("nothing was touched");
}
