// SPDX-License-Identifier: Apache-2.0

#include "support/catch.hpp"

#include <bitpq/codec/layer_geometry.hpp>

using bitpq::extent2;
using bitpq::layer_geometry;

TEST_CASE("a linear layer is a convolution with one tap") {
  const layer_geometry g = layer_geometry::linear(10, 128);
  CHECK((g.rows() == 10 && g.cols() == 128 && g.groups() == 1 && g.window() == 1));
  CHECK(g.type == layer_geometry::kind::linear);
  CHECK((g.output_size({1, 1}) == extent2{1, 1}));
}

TEST_CASE("a convolution's weight matrix has a row per output and a column per input tap") {
  const layer_geometry g = layer_geometry::conv2d(32, 12, {3, 5}, {{1, 1}, {0, 0}, {1, 1}, 4});
  CHECK((g.rows() == 32 && g.cols() == 3 * 15 && g.window() == 15));
  CHECK((g.in_per_group() == 3 && g.out_per_group() == 8 && g.groups() == 4));
  const layer_geometry depthwise = layer_geometry::conv2d(8, 8, {3, 3}, {{1, 1}, {1, 1}, {1, 1}, 8});
  CHECK((depthwise.rows() == 8 && depthwise.cols() == 9));
}

TEST_CASE("output sizes are PyTorch's") {
  const auto out = [](extent2 kernel, bitpq::conv2d_options o, extent2 in) {
    return layer_geometry::conv2d(1, 1, kernel, o).output_size(in);
  };
  CHECK((out({3, 3}, {}, {28, 28}) == extent2{26, 26}));
  CHECK((out({3, 3}, {{1, 1}, {1, 1}, {1, 1}, 1}, {28, 28}) == extent2{28, 28}));
  CHECK((out({3, 3}, {{2, 2}, {1, 1}, {1, 1}, 1}, {28, 27}) == extent2{14, 14}));
  CHECK((out({7, 7}, {{2, 2}, {3, 3}, {1, 1}, 1}, {224, 224}) == extent2{112, 112}));
  CHECK((out({3, 3}, {{1, 2}, {2, 0}, {2, 3}, 1}, {9, 20}) == extent2{9, 7}));
  CHECK((out({1, 7}, {{1, 3}, {0, 3}, {1, 1}, 1}, {5, 1}) == extent2{5, 1}));
  CHECK((out({5, 5}, {{9, 9}, {0, 0}, {1, 1}, 1}, {5, 6}) == extent2{1, 1}));
}

TEST_CASE("geometries compare by value") {
  const layer_geometry a = layer_geometry::conv2d(4, 4, {3, 3});
  CHECK(a == layer_geometry::conv2d(4, 4, {3, 3}, {{1, 1}, {0, 0}, {1, 1}, 1}));
  CHECK_FALSE(a == layer_geometry::conv2d(4, 4, {3, 3}, {{1, 2}, {0, 0}, {1, 1}, 1}));
}
