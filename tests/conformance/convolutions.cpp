// SPDX-License-Identifier: Apache-2.0

// Every path of a convolution on every instruction set against seven loops in double precision.

#include "support/guarded_array.hpp"
#include "support/kernels.hpp"
#include "support/product_paths.hpp"
#include "support/random_pq.hpp"
#include "support/reference.hpp"

#include <bitpq/gemm/dense.hpp>

#include <cmath>

using bitpq::extent2;
using bitpq::gemm_path;
using bitpq::kernel_table;
using bitpq::layer_geometry;
using bitpq::matrix_view;
using bitpq::nchw_view;
using namespace bitpq_test;

namespace {

struct shape {
  const char* name;
  std::size_t batch, in, out;
  extent2 image, kernel;
  bitpq::conv2d_options options;
};

// stride, padding, dilation, groups
const std::vector<shape> shapes{
    {"1x1", 2, 19, 33, {7, 5}, {1, 1}, {}},
    {"1x1, one pixel", 1, 65, 10, {1, 1}, {1, 1}, {}},
    {"1x1, stride 2", 3, 16, 12, {9, 8}, {1, 1}, {{2, 2}, {0, 0}, {1, 1}, 1}},
    {"3x3", 1, 5, 8, {6, 11}, {3, 3}, {}},
    {"3x3, same", 2, 16, 17, {8, 8}, {3, 3}, {{1, 1}, {1, 1}, {1, 1}, 1}},
    {"3x3, same, wide image", 1, 3, 4, {5, 70}, {3, 3}, {{1, 1}, {1, 1}, {1, 1}, 1}},
    {"3x3, stride 2", 2, 8, 24, {14, 13}, {3, 3}, {{2, 2}, {1, 1}, {1, 1}, 1}},
    {"3x3, dilated", 1, 4, 6, {12, 10}, {3, 3}, {{1, 1}, {2, 2}, {2, 2}, 1}},
    {"3x3, all unequal", 2, 4, 6, {11, 13}, {3, 3}, {{2, 3}, {4, 1}, {3, 2}, 2}},
    {"3x3, 4 groups", 2, 12, 20, {6, 7}, {3, 3}, {{1, 1}, {1, 1}, {1, 1}, 4}},
    {"3x3, depthwise", 2, 13, 13, {9, 6}, {3, 3}, {{1, 1}, {1, 1}, {1, 1}, 13}},
    {"3x3, depthwise, two outputs each", 1, 7, 14, {5, 5}, {3, 3}, {{2, 2}, {1, 1}, {1, 1}, 7}},
    {"3x3, mostly padding", 4, 3, 5, {1, 2}, {3, 3}, {{1, 1}, {2, 2}, {1, 1}, 1}},
    {"3x3, deep", 1, 150, 7, {4, 4}, {3, 3}, {{1, 1}, {1, 1}, {1, 1}, 1}},
    {"1x7", 2, 6, 9, {4, 12}, {1, 7}, {{1, 1}, {0, 3}, {1, 1}, 1}},
    {"7x1", 2, 6, 9, {12, 4}, {7, 1}, {{2, 1}, {3, 0}, {1, 1}, 1}},
    {"7x7, stride 2", 1, 3, 16, {23, 21}, {7, 7}, {{2, 2}, {3, 3}, {1, 1}, 1}},
    {"2x2, stride over taps", 3, 4, 4, {9, 9}, {2, 2}, {{4, 4}, {0, 0}, {1, 1}, 1}},
    {"as large as the image", 5, 3, 11, {5, 6}, {5, 6}, {}},
    {"one channel", 33, 1, 1, {3, 3}, {3, 3}, {}},
    {"3x3, same, odd image", 3, 70, 30, {7, 7}, {3, 3}, {{1, 1}, {1, 1}, {1, 1}, 1}},
    {"3x3, many rows of tiles", 1, 9, 101, {25, 2}, {3, 3}, {{1, 1}, {1, 2}, {1, 1}, 1}},
    {"3x3, 2 groups, wide", 2, 20, 14, {3, 150}, {3, 3}, {{1, 1}, {1, 1}, {1, 1}, 2}},
    {"5x5, depthwise, wide", 1, 3, 3, {4, 1100}, {5, 5}, {{1, 1}, {2, 2}, {1, 1}, 3}},
    {"1x1, depthwise", 2, 5, 5, {8, 9}, {1, 1}, {{1, 1}, {0, 0}, {1, 1}, 5}},
    {"3x3, rows longer than panels", 2, 4, 5, {4, 333}, {3, 3}, {{1, 1}, {1, 1}, {1, 1}, 1}},
    {"3x3, stride 2, rows longer than panels", 1, 3, 5, {9, 400}, {3, 3}, {{2, 2}, {1, 1}, {1, 1}, 1}},
    {"1x9, dilated, one long row", 2, 3, 5, {1, 500}, {1, 9}, {{1, 1}, {0, 20}, {1, 5}, 1}},
    {"3x3, far dilated", 2, 4, 6, {8, 9}, {3, 3}, {{1, 1}, {7, 6}, {7, 6}, 1}},
    {"3x3, far dilated, stride 2", 1, 4, 6, {20, 19}, {3, 3}, {{2, 2}, {9, 9}, {9, 9}, 2}},
    {"3x3, depthwise, far dilated", 1, 5, 5, {30, 29}, {3, 3}, {{1, 1}, {12, 12}, {12, 12}, 5}},
    {"1x1, pixels of whole vectors", 2, 40, 31, {8, 20}, {1, 1}, {}},
    {"1x1, channels in few sets of a cache", 1, 7, 13, {16, 32}, {1, 1}, {}},
    {"1x1, a column beyond whole vectors", 1, 30, 25, {7, 7}, {1, 1}, {}},
    // So few pixels that they may be read one by one.
    {"1 pixel of 3x3, stride 2", 1, 9, 65, {3, 4}, {3, 3}, {{2, 2}, {0, 0}, {1, 1}, 1}},
    {"2 pixels of 3x3, padded", 1, 7, 70, {2, 1}, {3, 3}, {{1, 1}, {1, 1}, {1, 1}, 1}},
    {"3 pixels of 1x1", 3, 66, 129, {1, 1}, {1, 1}, {}},
    {"4 pixels of 3x3, dilated", 1, 6, 64, {6, 6}, {3, 3}, {{1, 1}, {0, 0}, {2, 2}, 1}},
    {"5 pixels of 1x5", 1, 8, 33, {1, 9}, {1, 5}, {}},
    {"6 pixels of 3x3, all unequal", 2, 5, 63, {8, 9}, {3, 3}, {{3, 4}, {0, 2}, {2, 1}, 1}},
    {"7 pixels of 3x3", 7, 10, 20, {3, 3}, {3, 3}, {}},
    {"8 pixels of 1x1, stride 3", 2, 40, 257, {5, 4}, {1, 1}, {{3, 3}, {0, 0}, {1, 1}, 1}},
    // Sizes that memory for all the zeros between would not be had for.
    {"3x3, huge stride", 2, 4, 6, {9, 8}, {3, 3}, {{1000000, 1000000000}, {1, 1}, {1, 1}, 1}},
    {"3x3, huge dilation", 1, 4, 6, {5, 4}, {3, 3}, {{1, 1}, {1000000, 500000}, {1000000, 500000}, 1}},
    {"3x3, huge padding and stride", 1, 4, 6, {3, 4}, {3, 3}, {{40000, 30000}, {100000, 50000}, {33333, 1}, 1}},
    {"3x3, depthwise, huge dilation", 2, 3, 3, {5, 4}, {3, 3}, {{1, 1}, {1000000, 500000}, {1000000, 500000}, 3}},
};

template <class T>
double bound(gemm_path path) {
  return path == gemm_path::lut16 ? 1e-4 : std::is_same_v<T, float> ? 1e-5 : 1e-13;
}

struct choices {
  std::size_t d, codewords;
  layout of_x, of_y, of_residual;
  std::size_t residual;  // none, separate, in place
  bool bias, relu, scaled;
  std::size_t stages;
  bitpq::codeword_type type;
};

choices draw(std::size_t i) {
  const bitpq::random_stream stream(2025, i);
  const auto one_of = [&](std::size_t draw, const std::vector<std::size_t>& from) {
    return from[stream.below(draw, from.size())];
  };
  const auto order = [&](std::size_t draw) { return all_layouts[stream.below(draw, all_layouts.size())]; };
  return {one_of(0, {1, 2, 3, 4, 5, 8, 9, 18, 27, 64}),
          one_of(1, {1, 3, 16, 64, 256, 300}),
          order(2),
          order(3),
          order(4),
          stream.below(5, 3),
          stream.below(6, 2) == 0,
          stream.below(7, 2) == 0,
          stream.below(8, 3) == 0,
          one_of(9, {1, 1, 2, 1, 3}),
          std::vector{bitpq::codeword_type::f32, bitpq::codeword_type::i8}[stream.below(10, 2)]};
}

/// The operands of case i and what the convolution must come to.
template <class T>
struct prepared {
  prepared(const shape& s, const choices& chosen, std::size_t i)
      : c(chosen),
        g(layer_geometry::conv2d(s.out, s.in, s.kernel, s.options)),
        size(g.output_size(s.image)),
        w(random_pq<T>({g.rows(), g.cols(), std::min(c.d, g.cols()), c.codewords, 1, c.stages}, i, c.type, c.scaled)),
        dense(decoded(w)),
        x_values(random_values<T>(s.batch * s.in * s.image.h * s.image.w, i + 1)),
        out{s.batch, s.out, size.h, size.w},
        residual_values(random_values<T>(out[0] * out[1] * out[2] * out[3], i + 2)),
        bias(random_values<T>(c.bias ? s.out : 0, i + 3)),
        x({s.batch, s.in, s.image.h, s.image.w}, c.of_x, x_values),
        residual(out, c.of_residual, residual_values) {
    const std::vector<double> a = as_double(dense), b = as_double(x_values);
    want = reference_convolution(g, a, b, s.batch, s.image);
    if (c.residual == 0) residual_values.clear();
    reference_epilogue(want, as_double(bias), size.h * size.w, as_double(residual_values), c.relu);
    least = norm(a) / std::sqrt(static_cast<double>(a.size())) * norm(b);
  }

  template <class F>
  void check(gemm_path path, F&& convolve) {
    guarded_array<T, 4> y(out, c.of_y);
    if (c.residual == 2) y = guarded_array<T, 4>(out, c.of_y, residual_values);
    bitpq::conv_epilogue<T> fused{bias, {}, c.relu};
    if (c.residual == 1) fused.residual = view(residual);
    if (c.residual == 2) fused.residual = view(y);
    convolve(nchw_view<const T>(view(x)), view(y), fused);
    REQUIRE(relative_error(as_double(y.values()), want, least) <= bound<T>(path));
    REQUIRE(y.intact());
  }

  choices c;
  layer_geometry g;
  extent2 size;
  bitpq::pq_matrix<T> w;
  std::vector<T> dense, x_values;
  std::array<std::size_t, 4> out;
  std::vector<T> residual_values, bias;
  guarded_array<T, 4> x, residual;
  std::vector<double> want;
  double least = 0;
};

/// Whose blocks of whole filters Winograd's filtering takes: of few tiles, or a few beyond whole vectors, by a stride
/// of 1, and by a stride of 2.
const std::vector<shape> of_filters{
    {"one tile", 1, 7, 20, {4, 3}, {3, 3}, {{1, 1}, {1, 1}, {1, 1}, 1}},
    {"four tiles", 1, 70, 13, {7, 7}, {3, 3}, {{1, 1}, {1, 1}, {1, 1}, 1}},
    {"four tiles a group", 1, 18, 15, {8, 8}, {3, 3}, {{1, 1}, {1, 1}, {1, 1}, 3}},
    {"nine tiles, without padding", 1, 8, 5, {13, 12}, {3, 3}, {{1, 1}, {0, 0}, {1, 1}, 1}},
    {"16 tiles", 1, 4, 37, {14, 14}, {3, 3}, {{1, 1}, {1, 1}, {1, 1}, 1}},
    {"49 tiles", 1, 3, 14, {27, 28}, {3, 3}, {{1, 1}, {1, 1}, {1, 1}, 1}},
    {"a vector of tiles and two", 3, 9, 8, {9, 7}, {3, 3}, {{1, 1}, {1, 1}, {1, 1}, 1}},
    {"several panels and six tiles", 3, 2, 8, {21, 44}, {3, 3}, {{1, 1}, {1, 1}, {1, 1}, 1}},
    {"several vectors and a tile", 1, 2, 8, {4, 387}, {3, 3}, {{1, 1}, {1, 1}, {1, 1}, 1}},
    {"a tile", 1, 6, 7, {8, 8}, {3, 3}, {{2, 2}, {1, 1}, {1, 1}, 1}},
    {"a tile and a pixel", 1, 6, 13, {10, 9}, {3, 3}, {{2, 2}, {1, 1}, {1, 1}, 1}},
    {"odd images", 3, 7, 12, {13, 15}, {3, 3}, {{2, 2}, {1, 1}, {1, 1}, 1}},
    {"without padding", 2, 12, 33, {14, 17}, {3, 3}, {{2, 2}, {0, 0}, {1, 1}, 1}},
    {"much padding", 2, 6, 5, {9, 6}, {3, 3}, {{2, 2}, {2, 3}, {1, 1}, 1}},
    {"groups", 2, 18, 15, {11, 12}, {3, 3}, {{2, 2}, {1, 1}, {1, 1}, 3}},
    {"runs of channels", 1, 200, 9, {7, 5}, {3, 3}, {{2, 2}, {1, 1}, {1, 1}, 1}},
    {"one pixel each", 21, 3, 4, {1, 1}, {3, 3}, {{2, 2}, {1, 1}, {1, 1}, 1}},
    {"several panels", 1, 3, 8, {37, 131}, {3, 3}, {{2, 2}, {1, 1}, {1, 1}, 1}},
    {"rows longer than panels", 1, 3, 6, {7, 600}, {3, 3}, {{2, 2}, {1, 1}, {1, 1}, 1}},
};

template <class T>
void check_case(const shape& s, std::size_t i, const choices& c) {
  INFO(s.name << ", blocks of " << c.d << ", " << c.codewords << " codewords " << to_string(c.type) << ", " << c.stages
              << " stages" << (c.scaled ? ", scaled" : "") << ", case " << i);
  prepared<T> p(s, c, i);
  for_each_isa<T>([&](const kernel_table<T>& k) {
    const bitpq::prepacked_matrix<T> packed(p.w, k, bitpq::precision::lut16);
    const bitpq::gemm_plan plan = bitpq::plan_conv2d(packed, p.g, s.batch, s.image);
    for (const gemm_path path : paths_of(plan)) {
      INFO("path " << bitpq::to_string(path));
      p.check(path == gemm_path::automatic ? plan.path : path,
              [&](auto x, auto y, const auto& fused) { conv2d(packed, p.g, x, y, fused, {}, path); });
    }
    INFO("path dense");
    const matrix_view<const T> weights(p.dense.data(), p.g.rows(), p.g.cols());
    p.check(gemm_path::decode,
            [&](auto x, auto y, const auto& fused) { bitpq::dense_conv2d(weights, p.g, x, y, fused, {}, k); });
  });
}

}  // namespace

TEMPLATE_TEST_CASE("every path of a convolution agrees with double precision", "", float, double) {
  std::size_t i = 0;
  for (std::size_t round = 0; round < 8; ++round)
    for (const shape& s : shapes) {
      check_case<TestType>(s, i, draw(i));
      ++i;
    }
  WARN(i << " convolutions on each of " << usable_names<TestType>());
}

TEMPLATE_TEST_CASE("convolutions of whole filters agree with double precision", "", float, double) {
  std::size_t i = 1000;
  for (const std::size_t d : {9U, 18U, 27U})
    for (const shape& s : of_filters) {
      choices c = draw(i);
      c.d = d;
      check_case<TestType>(s, i++, c);
    }
}
