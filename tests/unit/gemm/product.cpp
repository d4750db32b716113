// SPDX-License-Identifier: Apache-2.0

// What gemm, gemv, conv2d and their dense siblings compute, on numbers small enough to check by eye.

#include "support/catch.hpp"

#include <bitpq/gemm/dense.hpp>

#include <cmath>

using bitpq::gemm_path;
using bitpq::matrix_view;
using bitpq::nchw_view;

namespace {

/// Weights 1 2 3 4 / 3 4 3 4 / 1 2 1 2 in blocks of 2.
bitpq::pq_matrix<float> small_matrix() {
  return bitpq::pq_matrix<float>(3, 4, bitpq::codebook<float>(std::vector<float>{1, 2, 3, 4}, 1, 2, 2),
                                 bitpq::packed_codes(1, std::vector<std::uint16_t>{0, 1, 1, 1, 0, 0}));
}

/// Two stages of blocks of 2 and row scales: 2 x (1 2 1 2 + 10 20 30 40) / -(3 4 1 2 + 30 40 10 20).
bitpq::pq_matrix<float> staged_matrix() {
  const std::vector<float> words{1, 2, 3, 4, 10, 20, 30, 40}, scales{2, -1};
  return bitpq::pq_matrix<float>(2, 4, bitpq::codebook<float>(words, 2, 2, 2),
                                 bitpq::packed_codes(1, std::vector<std::uint16_t>{0, 0, 0, 1, 1, 0, 1, 0}), 2,
                                 bitpq::row_scales<float>(scales));
}

constexpr gemm_path all_paths[] = {gemm_path::automatic, gemm_path::decode, gemm_path::lut, gemm_path::gemv};

}  // namespace

TEST_CASE("a product by hand") {
  const std::vector<float> x{1, 10, 0, -1, 2, 1, 1, 0};  // 4 x 2
  const std::vector<float> bias{100, 200, -300}, residual{0, 1, 2, 3, 4, 5};
  for (const gemm_path path : all_paths) {
    INFO(bitpq::to_string(path));
    std::vector<float> y(6);
    gemm(small_matrix(), {x.data(), 4, 2}, {y.data(), 3, 2}, {}, {}, path);
    CHECK(y == std::vector<float>{11, 11, 13, 29, 5, 9});
    const bitpq::epilogue<float> fused{bias, {residual.data(), 3, 2}, true};
    gemm(bitpq::prepack(small_matrix()), {x.data(), 4, 2}, {y.data(), 3, 2}, fused, {}, path);
    CHECK(y == std::vector<float>{111, 112, 215, 232, 0, 0});
  }
}

TEST_CASE("a product with two stages and row scales by hand") {
  // Row 0: 2 x (11 22 31 42); row 1: -(33 44 11 22).
  const std::vector<float> x{1, 10, 0, -1, 2, 1, 1, 0};  // 4 x 2
  const std::vector<float> bias{100, 200};
  for (const gemm_path path : all_paths) {
    INFO(bitpq::to_string(path));
    std::vector<float> y(4);
    gemm(staged_matrix(), {x.data(), 4, 2}, {y.data(), 2, 2}, {bias, {}, false}, {}, path);
    CHECK(y == std::vector<float>{100 + 2 * (11 + 62 + 42), 100 + 2 * (110 - 22 + 31), 200 - (33 + 22 + 22),
                                  200 - (330 - 44 + 11)});
  }
}

TEST_CASE("a product with a vector by hand") {
  const std::vector<float> x{1, 0, 2, 1}, bias{100, 200, -300};
  std::vector<float> y(3);
  gemv(bitpq::prepack(small_matrix()), x, y);
  CHECK(y == std::vector<float>{11, 13, 5});
  gemv(bitpq::prepack(small_matrix()), x, y, {bias, {}, true});
  CHECK(y == std::vector<float>{111, 213, 0});
  const bitpq::epilogue<float> onto_itself{{}, matrix_view<const float>(y.data(), 3, 1), false};
  gemv(bitpq::prepack(small_matrix()), x, y, onto_itself);
  CHECK(y == std::vector<float>{122, 226, 5});
}

TEST_CASE("tokens as rows are given transposed") {
  const std::vector<float> tokens{1, 0, 2, 1, 10, -1, 1, 0};  // 2 tokens of 4 features
  std::vector<float> y(6);
  for (const gemm_path path : all_paths) {
    gemm(small_matrix(), matrix_view<const float>(tokens.data(), 2, 4).transposed(),
         matrix_view<float>(y.data(), 2, 3).transposed(), {}, {}, path);
    CHECK(y == std::vector<float>{11, 13, 5, 11, 29, 9});
  }
}

TEST_CASE("NaN and infinity of the input reach their own column and no other") {
  for (const gemm_path path : all_paths) {
    INFO(bitpq::to_string(path));
    std::vector<float> x(4 * 40, 1.0F), y(3 * 40);
    x[3 * 40 + 5] = std::numeric_limits<float>::quiet_NaN();
    x[2 * 40 + 39] = std::numeric_limits<float>::infinity();
    gemm(small_matrix(), {x.data(), 4, 40}, {y.data(), 3, 40}, {{}, {}, true}, {}, path);
    for (std::size_t i = 0; i < y.size(); ++i) {
      if (i % 40 == 5)
        CHECK(std::isnan(y[i]));
      else if (i % 40 == 39)
        CHECK(std::isinf(y[i]));
      else
        CHECK(y[i] == std::vector<float>{10, 14, 6}[i / 40]);
    }
  }
}

TEST_CASE("a convolution by hand") {
  // One 1 x 2 kernel (1, 2) and one (3, 4) over a 2 x 3 image.
  const bitpq::pq_matrix<float> w(2, 2, bitpq::codebook<float>(std::vector<float>{1, 2, 3, 4}, 1, 2, 2),
                                  bitpq::packed_codes(1, std::vector<std::uint16_t>{0, 1}));
  const std::vector<float> x{1, 2, 3, 4, 5, 6}, want{5, 8, 14, 17, 11, 18, 32, 39};
  const bitpq::layer_geometry g = bitpq::layer_geometry::conv2d(2, 1, {1, 2});
  for (const gemm_path path : {gemm_path::automatic, gemm_path::decode, gemm_path::lut}) {
    std::vector<float> y(8);
    conv2d(w, g, nchw_view<const float>(x.data(), 1, 1, 2, 3), nchw_view<float>(y.data(), 1, 2, 2, 2), {}, {}, path);
    CHECK(y == want);
  }
  const std::vector<float> dense{1, 2, 3, 4};
  std::vector<float> y(8), last(8);
  bitpq::dense_conv2d({dense.data(), 2, 2}, g, {x.data(), 1, 1, 2, 3}, nchw_view<float>(y.data(), 1, 2, 2, 2));
  CHECK(y == want);
  conv2d(w, g, {x.data(), 1, 1, 2, 3}, nchw_view<float>::nhwc(last.data(), 1, 2, 2, 2));
  CHECK(last == std::vector<float>{5, 11, 8, 18, 14, 32, 17, 39});
}

TEST_CASE("a dense product by hand") {
  const std::vector<float> w{1, 2, 3, 4, 5, 6}, x{1, 0, 0, 1, 1, 1}, bias{10, -20};
  std::vector<float> y(4);
  bitpq::dense_gemm({w.data(), 2, 3}, {x.data(), 3, 2}, matrix_view<float>(y.data(), 2, 2), {bias, {}, true});
  CHECK(y == std::vector<float>{14, 15, 0, 0});
}
