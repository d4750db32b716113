// SPDX-License-Identifier: Apache-2.0

// When the 8-bit path may be taken, and what it makes of inputs that have no sensible unit.

#include "support/bad_inputs.hpp"
#include "support/kernels.hpp"
#include "support/random_pq.hpp"

#include <bitpq/inference.hpp>

#include <cmath>
#include <limits>

using bitpq::errc;
using bitpq::gemm_path;
using bitpq::matrix_view;
using bitpq::nchw_view;
using bitpq::precision;
using bitpq::prepacked_matrix;
using namespace bitpq_test;

TEST_CASE("the 8-bit path is refused where the layer does not allow it") {
  const bitpq::pq_matrix<float> w = random_pq<float>({6, 8, 4, 5, 1}, 1);
  const bitpq::pq_matrix<double> wide = random_pq<double>({6, 8, 4, 5, 1}, 1);
  const std::vector<float> data(64, 1.0F);
  const std::vector<double> doubles(64, 1.0);
  std::vector<float> out(64, 7.0F);
  std::vector<double> results(64, 7.0);
  const std::string refused = "path int8: takes layers of float that were prepacked for int8";
  const bitpq::layer_geometry g = bitpq::layer_geometry::conv2d(6, 8, {1, 1});
  check_bad_inputs({
      {errc::unsupported, refused,
       [&] {
         gemm(w, {data.data(), 8, 3}, {out.data(), 6, 3}, {}, {}, gemm_path::int8);
       }},
      {errc::unsupported, refused,
       [&] {
         gemm(prepack(w, precision::lut16), {data.data(), 8, 3}, {out.data(), 6, 3}, {}, {}, gemm_path::int8);
       }},
      {errc::unsupported, refused,
       [&] {
         conv2d(w, g, {data.data(), 1, 8, 2, 2}, {out.data(), 1, 6, 2, 2}, {}, {}, gemm_path::int8);
       }},
      {errc::unsupported, refused,
       [&] {
         gemm(prepack(wide, precision::int8), {doubles.data(), 8, 3}, {results.data(), 6, 3}, {}, {}, gemm_path::int8);
       }},
  });
  CHECK(out == std::vector<float>(64, 7.0F));
  CHECK(results == std::vector<double>(64, 7.0));
}

TEST_CASE("plans take the 8-bit path only where it is allowed and pays") {
  const bitpq::pq_matrix<float> w = random_pq<float>({512, 1152, 9, 256, 1}, 1);
  CHECK(plan_gemm(prepack(w), 49).path != gemm_path::int8);
  CHECK(plan_gemm(prepack(w, precision::lut16), 49).path != gemm_path::int8);
  for_each_isa<float>([&](const bitpq::kernel_table<float>& k) {
    const bitpq::gemm_plan plan = plan_gemm(prepacked_matrix<float>(w, k, precision::int8), 49);
    CHECK(plan.why().find(" int8 ") != std::string::npos);
    if (k.target == bitpq::isa::avx512vnni) CHECK(plan.path == gemm_path::int8);
  });
  const bitpq::pq_matrix<float> deep = random_pq<float>({1, bitpq::max_int8_cols + 1, 9, 256, 1}, 1);
  CHECK(prepack(deep, precision::int8).int8().empty());
  CHECK(plan_gemm(prepack(deep, precision::int8), 1).path != gemm_path::int8);
  const bitpq::pq_matrix<float> doubled = random_pq<float>({1, bitpq::max_int8_cols / 2 + 1, 9, 256, 1, 2}, 1);
  expect_error(errc::unsupported, "path int8: takes up to 66311 columns of weights in all stages, not 66312",
               [&] { static_cast<void>(plan_gemm(prepack(doubled, precision::int8), 1, gemm_path::int8)); });
  CHECK(std::string(bitpq::to_string(gemm_path::int8)) == "int8");
  CHECK(prepack(random_pq<double>({6, 8, 4, 5, 1}, 1), precision::int8).int8().empty());
  CHECK(prepack(w).int8().empty());
  CHECK(prepack(w).bytes() < prepack(w, precision::int8).bytes());
}

TEST_CASE("codewords that are stored in 8 bits are not rounded again") {
  // Largest element 100: a unit of its own would be 100 / 127 of the scale.
  const auto book =
      bitpq::codebook<float>::from_int8(std::vector<std::int8_t>{100, -7, 33, 1}, std::vector{0.5F}, 2, 2);
  const bitpq::pq_matrix<float> w(2, 2, book, bitpq::packed_codes(1, std::vector<std::uint16_t>{0, 1}));
  const std::vector<float> x{255, 3};
  for_each_isa<float>([&](const bitpq::kernel_table<float>& k) {
    std::vector<float> y(2);
    gemm(prepacked_matrix<float>(w, k, precision::int8), {x.data(), 2, 1}, {y.data(), 2, 1}, {}, {}, gemm_path::int8);
    CHECK(y == std::vector<float>{(100 * 255 - 7 * 3) / 2.0F, (33 * 255 + 1 * 3) / 2.0F});
  });
}

TEST_CASE("a column that is not finite comes to NaN, and no other; one of zeros comes to the bias") {
  const bitpq::pq_matrix<float> w = random_pq<float>({5, 18, 9, 7, 1}, 1);
  const std::vector<float> bias{1, 2, 3, 4, 5};
  const std::size_t n = 40;
  for_each_isa<float>([&](const bitpq::kernel_table<float>& k) {
    const prepacked_matrix<float> packed(w, k, precision::int8);
    std::vector<float> x = random_values<float>(18 * n, 2), clean(5 * n), y(5 * n);
    gemm(packed, {x.data(), 18, n}, {clean.data(), 5, n}, {bias, {}, true}, {}, gemm_path::int8);
    x[3 * n + 5] = std::numeric_limits<float>::quiet_NaN();
    x[17 * n + 39] = -std::numeric_limits<float>::infinity();
    for (std::size_t i = 0; i < 18; ++i) x[i * n + 7] = i % 2 == 0 ? 0.0F : std::numeric_limits<float>::denorm_min();
    gemm(packed, {x.data(), 18, n}, {y.data(), 5, n}, {bias, {}, true}, {}, gemm_path::int8);
    for (std::size_t i = 0; i < y.size(); ++i) {
      if (i % n == 5 || i % n == 39)
        CHECK(std::isnan(y[i]));
      else
        CHECK(y[i] == (i % n == 7 ? bias[i / n] : clean[i]));
    }
  });
}

TEST_CASE("an image that is not finite comes to NaN, and no other") {
  const bitpq::layer_geometry g = bitpq::layer_geometry::conv2d(4, 2, {3, 3}, {{1, 1}, {1, 1}});
  const bitpq::pq_matrix<float> w = random_pq<float>({4, 18, 9, 7, 1}, 1);
  for_each_isa<float>([&](const bitpq::kernel_table<float>& k) {
    const prepacked_matrix<float> packed(w, k, precision::int8);
    std::vector<float> x = random_values<float>(3 * 2 * 25, 2), clean(3 * 4 * 25), y(clean.size());
    const auto run = [&](std::vector<float>& to) {
      conv2d(packed, g, {x.data(), 3, 2, 5, 5}, {to.data(), 3, 4, 5, 5}, {}, {}, gemm_path::int8);
    };
    run(clean);
    x[2 * 25 + 3] = std::numeric_limits<float>::infinity();
    run(y);
    for (std::size_t i = 0; i < y.size(); ++i) {
      if (i / 100 == 1)
        CHECK(std::isnan(y[i]));
      else
        CHECK(y[i] == clean[i]);
    }
  });
}

TEST_CASE("inputs from the ends of the range of float stay in it") {
  const bitpq::pq_matrix<float> w(1, 2, bitpq::codebook<float>(std::vector<float>{1, -1}, 1, 1, 2),
                                  bitpq::packed_codes(1, std::vector<std::uint16_t>{0}));
  const float most = std::numeric_limits<float>::max();
  const std::vector<float> x{most, 1e-30F, most, 0.0F};
  for_each_isa<float>([&](const bitpq::kernel_table<float>& k) {
    std::vector<float> y(2);
    gemm(prepacked_matrix<float>(w, k, precision::int8), {x.data(), 2, 2}, {y.data(), 1, 2}, {}, {}, gemm_path::int8);
    CHECK(y[0] == 0.0F);
    CHECK(std::abs(y[1] / 1e-30F - 1) < 1e-5);
  });
}
