// SPDX-License-Identifier: Apache-2.0

#include "support/expect_error.hpp"
#include "support/kernels.hpp"

#include <bitpq/gemm/plan.hpp>

#include <algorithm>
#include <cmath>
#include <locale>

using bitpq::code_format;
using bitpq::gemm_path;
using bitpq::gemm_plan;
using bitpq::isa;
using bitpq::kernel_shape;
using bitpq::make_plan;
using bitpq::path_costs_of;
using bitpq::precision;
using bitpq::product_shape;
using namespace bitpq_test;

namespace {

constexpr kernel_shape wide{isa::avx512vnni, 16, 64, 32, 4, 256, 256};

gemm_plan plan(const code_format& format, const product_shape& shape, gemm_path forced = gemm_path::automatic,
               precision allowed = precision::exact) {
  return make_plan(format, shape, wide, allowed, path_costs_of(wide.target), forced);
}

}  // namespace

TEST_CASE("a plan takes the cheapest path") {
  const code_format few_words{4096, 1024, 8, 16, 1}, many_words{64, 576, 9, 2048, 1};
  CHECK(plan(few_words, {1, 4096, 512}).path == gemm_path::lut);
  CHECK(plan(many_words, {1, 64, 512}).path == gemm_path::decode);
  CHECK(plan(many_words, {1, 64, 1}).path == gemm_path::gemv);
  CHECK(plan(few_words, {1, 4096, 1}).path == gemm_path::gemv_lut);
  for (const isa target : bitpq::all_isas)
    for (const std::size_t columns : {1U, 2U, 31U, 33U, 1000U})
      for (const std::size_t lanes : {1U, 4U, 8U, 16U})
        for (const code_format& format : {few_words, many_words, code_format{1, 1, 1, 1, 1}})
          for (const bitpq::core_class on : {bitpq::core_class::narrow, bitpq::core_class::wide}) {
            const gemm_plan made =
                make_plan(format, {1, format.rows, columns}, {target, lanes, 4 * lanes, 2 * lanes, 4}, precision::exact,
                          path_costs_of(target, on));
            CHECK_FALSE(made.forced);
            const auto least = std::min_element(made.cost.begin(), made.cost.end());
            CHECK(made.path == bitpq::all_gemm_paths[static_cast<std::size_t>(least - made.cost.begin())]);
            CHECK((*least > 0 && *least < std::numeric_limits<double>::infinity()));
          }
}

TEST_CASE("a plan takes what serves a convolution alone") {
  const code_format filters{64, 576, 9, 256, 1}, depthwise{64, 9, 9, 16, 1};
  CHECK(plan(filters, {1, 64, 3136, true, 9, {784, 196}}).path == gemm_path::winograd4);
  CHECK(plan(filters, {1, 64, 49, true, 9, {16, 4}}).path == gemm_path::winograd);
  CHECK(plan(filters, {1, 64, 3136, true, 9}).path == gemm_path::decode);
  CHECK(plan({256, 2304, 9, 256, 1}, {1, 256, 196, true, 9, {49, 16}, false, 2}).path == gemm_path::winograd4);
  CHECK(plan(filters, {1, 64, 49, true, 9, {16, 4}, false, 2}).path == gemm_path::winograd);
  CHECK(plan(depthwise, {64, 1, 3136, true, 9, {784, 196}, true}).path == gemm_path::depthwise);
  CHECK(is_gemv(plan(filters, {1, 64, 1, true, 9, {1, 1}}).path));
}

TEST_CASE("Winograd's filtering takes strides of 1 and 2") {
  const auto tiles = [](const bitpq::conv2d_options& options, std::size_t block = 9, bitpq::extent2 kernel = {3, 3}) {
    const bitpq::layer_geometry g = bitpq::layer_geometry::conv2d(64, 65, kernel, options);
    return shape_of(g, {g.rows(), g.cols(), block, 16, 1}, 3, {15, 19}).winograd_tiles;
  };
  using counts = std::array<std::size_t, 2>;
  CHECK(tiles({{1, 1}, {1, 1}, {1, 1}, 1}) == counts{3 * 8 * 10, 3 * 4 * 5});
  CHECK(tiles({{2, 2}, {1, 1}, {1, 1}, 1}) == counts{3 * 4 * 5, 3 * 2 * 3});
  CHECK(tiles({{2, 2}, {0, 2}, {1, 1}, 1}, 64 * 9) == counts{3 * 4 * 6, 3 * 2 * 3});
  CHECK(tiles({{2, 2}, {1, 1}, {1, 1}, 1}, 65 * 9) == counts{});
  CHECK(tiles({{2, 2}, {1, 1}, {1, 1}, 1}, 12) == counts{});
  CHECK(tiles({{2, 2}, {1, 1}, {1, 1}, 1}, 9, {1, 9}) == counts{});
  CHECK(tiles({{2, 1}, {1, 1}, {1, 1}, 1}) == counts{});
  CHECK(tiles({{3, 3}, {1, 1}, {1, 1}, 1}) == counts{});
  CHECK(tiles({{2, 2}, {2, 2}, {2, 2}, 1}) == counts{});
}

TEST_CASE("a layer's precision decides what its plans may choose") {
  const code_format format{4096, 4096, 8, 256, 1};
  CHECK(plan(format, {1, 4096, 1}).path == gemm_path::gemv_lut);
  CHECK(plan(format, {1, 4096, 1}, gemm_path::automatic, precision::lut16).path == gemm_path::lut16);
}

TEST_CASE("look-ups are worth it where blocks use few codewords") {
  const code_format format{256, 1024, 8, 256, 1};
  product_shape shape{1, 256, 196};
  const auto cost = [&](double words) {
    shape.words = words;
    return path_cost(gemm_path::lut, format, shape, wide, path_costs_of(wide.target));
  };
  shape.words = 110;
  CHECK(plan(format, shape).path == gemm_path::lut);
  shape.words = 250;
  CHECK(plan(format, shape).path == gemm_path::decode);
  CHECK(cost(110) < cost(162));
  CHECK(std::abs(cost(0) / cost(256 * (1 - std::exp(-1.0))) - 1) < 1e-2);  // random codes
}

TEST_CASE("cores differ in what they look up for the time of a multiply-add") {
  const code_format format{1024, 256, 4, 256, 1};
  const auto on = [&](bitpq::core_class core) {
    return make_plan(format, {1, 1024, 196}, wide, precision::exact, path_costs_of(wide.target, core)).path;
  };
  CHECK(on(bitpq::core_class::narrow) == gemm_path::lut);
  CHECK(on(bitpq::core_class::wide) == gemm_path::decode);
}

TEST_CASE("strips make tiles of 4 x 4 pay where they are few") {
  const code_format filters{512, 4608, 9, 256, 1};
  kernel_shape with = wide;
  with.strips = true;
  const auto taken = [&](const kernel_shape& kernels, std::array<std::size_t, 2> tiles) {
    return make_plan(filters, {1, 512, 16 * tiles[1], true, 9, tiles}, kernels, precision::exact,
                     path_costs_of(wide.target))
        .path;
  };
  CHECK(taken(wide, {16, 4}) == gemm_path::winograd);
  CHECK(taken(with, {16, 4}) == gemm_path::winograd4);
  CHECK(taken(wide, {784, 196}) == gemm_path::winograd4);
  CHECK(taken(with, {784, 196}) == gemm_path::winograd4);
}

TEST_CASE("every stage is counted, and what they share is counted once") {
  const product_shape linear{1, 512, 64}, pixels{1, 64, 3136, true, 9, {784, 196}};
  for (const gemm_path path : bitpq::all_gemm_paths) {
    if (path == gemm_path::depthwise) continue;  // decodes a row and then is as any other
    const bool tiles = bitpq::winograd_tile(path) > 0;
    const code_format one{tiles ? 64U : 512U, 576, 9, 16, 1}, two{one.rows, one.cols, 9, 16, 1, 2};
    kernel_shape kernels = wide;
    kernels.int8_group = 4;
    const auto cost = [&](const code_format& format) {
      return path_cost(path, format, tiles ? pixels : linear, kernels, path_costs_of(wide.target));
    };
    INFO(bitpq::to_string(path));
    CHECK(cost(two) > 1.3 * cost(one));
    CHECK(cost(two) < 2 * cost(one));
  }
}

TEST_CASE("calibration scales the cost of a path") {
  const code_format format{4096, 1024, 8, 16, 1};
  bitpq::path_costs costs = path_costs_of(wide.target);
  costs.scale[static_cast<std::size_t>(gemm_path::lut)] = 100;
  CHECK(make_plan(format, {1, 4096, 512}, wide, precision::exact, costs).path != gemm_path::lut);
}

TEST_CASE("a forced plan says so and why not") {
  const code_format format{64, 576, 9, 2048, 1};
  const gemm_plan forced = plan(format, {1, 64, 512}, gemm_path::lut);
  CHECK((forced.path == gemm_path::lut && forced.forced));
  CHECK_THAT(forced.why(), contains("lut (forced): estimated kilocycles decode "));
  const gemm_plan free = plan(format, {1, 64, 512});
  CHECK_THAT(free.why(), contains("decode: estimated kilocycles decode "));
  CHECK_THAT(free.why(), contains(" lut ") && contains(" gemv ") && !contains("winograd") && !contains("lut16"));
  CHECK(std::string(bitpq::to_string(gemm_path::automatic)) == "automatic");
}

TEST_CASE("a path that does not serve is refused with the reason") {
  const code_format format{64, 576, 8, 2048, 1}, huge{64, 576, 8, 65536, 1};
  const auto refuse = [](gemm_path path, const std::string& why, const code_format& f, const product_shape& shape,
                         precision allowed = precision::exact) {
    expect_error(bitpq::errc::unsupported, std::string("path ") + bitpq::to_string(path) + ": " + why,
                 [&] { plan(f, shape, path, allowed); });
  };
  refuse(gemm_path::lut, "two tables of 65536 codewords take 16777216 bytes", huge, {1, 64, 512});
  refuse(gemm_path::lut16, "the layer was prepacked for exact products", format, {1, 64, 1});
  refuse(gemm_path::lut16, "takes up to 256 codewords of 32-bit numbers with the avx512vnni kernels, not 2048", format,
         {1, 64, 1}, precision::lut16);
  refuse(gemm_path::gemv, "takes convolutions of one group and up to 8 output pixels, not of 1 and 9", format,
         {1, 64, 9, true, 9});
  for (const gemm_path path : {gemm_path::winograd, gemm_path::winograd4})
    refuse(path, "takes 3 x 3 convolutions of stride 1 or 2 and dilation 1 with blocks of up to 64 whole filters",
           format, {1, 64, 512, true, 9});
  for (const std::size_t stride : {1U, 2U}) {
    const product_shape tiles{1, 64, 512, true, 9, {128, 32}, false, stride};
    refuse(gemm_path::winograd, "1 x 65536 transformed codewords take 4194304 bytes", {64, 576, 9, 65536, 1}, tiles);
    refuse(gemm_path::winograd, "2 x 32768 transformed codewords take 4194304 bytes", {64, 576, 9, 32768, 1, 2}, tiles);
    refuse(gemm_path::winograd4, "1 x 16384 transformed codewords take 2359296 bytes", {64, 576, 9, 16384, 1}, tiles);
  }
  refuse(gemm_path::depthwise, "takes convolutions with one input channel per group", format, {1, 64, 512, true, 9});
}
