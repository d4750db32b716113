// SPDX-License-Identifier: Apache-2.0

#include "support/catch.hpp"
#include "support/expect_error.hpp"
#include "support/guarded_array.hpp"
#include "support/layers.hpp"
#include "support/thread_executor.hpp"

#include <limits>

using bitpq::errc;
using bitpq::extent2;
using bitpq::gram_accumulator;
using bitpq::importance;
using bitpq::layer_geometry;
using bitpq::matrix_view;
using bitpq::nchw_view;
using bitpq_test::row_major;
using bitpq_test::same_moments;

namespace {

struct convolution {
  const char* name;
  layer_geometry geometry;
  extent2 size;  // of the images
};

const std::vector<convolution>& convolutions() {
  static const std::vector<convolution> table{
      {"1 x 1", layer_geometry::conv2d(4, 5, {1, 1}), {9, 7}},
      {"3 x 3", layer_geometry::conv2d(2, 3, {3, 3}), {8, 6}},
      {"padded", layer_geometry::conv2d(2, 3, {3, 3}, {.padding = {1, 1}}), {13, 17}},
      {"strided", layer_geometry::conv2d(2, 3, {3, 3}, {.stride = {2, 3}, .padding = {1, 1}}), {12, 11}},
      {"dilated", layer_geometry::conv2d(2, 2, {3, 3}, {.padding = {2, 1}, .dilation = {2, 3}}), {11, 12}},
      {"5 x 1", layer_geometry::conv2d(2, 4, {5, 1}, {.padding = {2, 0}}), {10, 5}},
      {"1 x 7", layer_geometry::conv2d(2, 4, {1, 7}, {.stride = {1, 2}, .padding = {0, 3}}), {5, 16}},
      {"grouped", layer_geometry::conv2d(6, 6, {3, 3}, {.padding = {1, 1}, .groups = 3}), {7, 7}},
      {"depthwise", layer_geometry::conv2d(5, 5, {3, 3}, {.stride = {2, 2}, .padding = {1, 1}, .groups = 5}), {9, 9}},
      {"as large as the image", layer_geometry::conv2d(2, 2, {4, 4}), {4, 4}},
      {"larger than the image", layer_geometry::conv2d(2, 1, {5, 5}, {.padding = {3, 3}}), {2, 3}},
  };
  return table;
}

/// Within a chunk products are summed in the inputs' own precision.
template <class T>
constexpr double sum_rounding = sizeof(T) == sizeof(float) ? 1e-6 : 1e-13;

/// The largest error relative to the largest element, over all groups.
template <class T>
double error_of(const importance& got, const layer_geometry& g, const nchw_view<T>& x) {
  double worst = 0;
  for (std::size_t group = 0; group < g.groups(); ++group) {
    const row_major columns = bitpq_test::naive_columns(g, group, x);
    const row_major want = columns * columns.transpose() / static_cast<double>(columns.cols());
    const row_major error = bitpq_test::to_eigen(got.gram(group)) - want;
    worst = std::max(worst, error.cwiseAbs().maxCoeff() / want.cwiseAbs().maxCoeff());
  }
  return worst;
}

}  // namespace

TEMPLATE_TEST_CASE("second moments of convolutions equal those of im2col's columns", "", float, double) {
  using T = TestType;
  for (const auto& [name, g, size] : convolutions())
    for (const bitpq_test::layout order : bitpq_test::all_layouts) {
      INFO(name << ", layout " << static_cast<int>(order));
      const std::size_t batch = 3;
      bitpq_test::guarded_array<T, 4> x({batch, g.in_channels, size.h, size.w}, order,
                                        bitpq_test::correlated_images<T>(batch, g.in_channels, size, 31));
      const nchw_view<const T> view = bitpq_test::view(x);
      gram_accumulator gram(g);
      gram.add(view);
      const extent2 out = g.output_size(size);
      CHECK(gram.columns() == batch * out.h * out.w);
      const importance moments = gram.finish();
      CHECK((moments.groups() == g.groups() && moments.cols() == g.cols()));
      CHECK(error_of(moments, g, view) < sum_rounding<T>);
    }
}

TEMPLATE_TEST_CASE("second moments of linear inputs, one sample per column", "", float, double) {
  using T = TestType;
  for (const std::size_t features : std::vector<std::size_t>{1, 2, 7, 16, 33, 70})
    for (const std::size_t n : std::vector<std::size_t>{1, 5, 63, 64, 65, 256, 257, 600})
      for (const bitpq_test::layout order : {bitpq_test::layout::dense, bitpq_test::layout::transposed,
                                             bitpq_test::layout::padded, bitpq_test::layout::reversed}) {
        INFO(features << " features, " << n << " samples, layout " << static_cast<int>(order));
        bitpq_test::guarded_array<T, 2> x({features, n}, order, bitpq_test::random_values<T>(features * n, n));
        gram_accumulator gram(layer_geometry::linear(3, features));
        gram.add(matrix_view<const T>(bitpq_test::view(x)));
        CHECK(gram.columns() == n);
        const row_major columns = bitpq_test::to_eigen(bitpq_test::view(x));
        const row_major want = columns * columns.transpose() / static_cast<double>(n);
        const row_major error = bitpq_test::to_eigen(gram.finish().gram(0)) - want;
        REQUIRE(error.cwiseAbs().maxCoeff() < sum_rounding<T> * want.cwiseAbs().maxCoeff());
      }
}

TEST_CASE("a linear layer takes 1 x 1 images as well as columns") {
  const std::vector<float> x = bitpq_test::random_values<float>(40 * 6, 8);  // 40 samples of 6 features
  gram_accumulator as_columns(layer_geometry::linear(2, 6)), as_images(layer_geometry::linear(2, 6));
  as_columns.add(matrix_view<const float>(x.data(), 40, 6).transposed());
  as_images.add(nchw_view<const float>(x.data(), 40, 6, 1, 1));
  CHECK(same_moments(as_columns.finish(), as_images.finish()));
}

TEST_CASE("any split of the batches gives the same moments up to sum_rounding") {
  const layer_geometry g = layer_geometry::conv2d(4, 4, {3, 3}, {.padding = {1, 1}, .groups = 2});
  constexpr std::size_t batch = 7, image = 4 * 9 * 9;
  const std::vector<float> x = bitpq_test::correlated_images<float>(batch, 4, {9, 9}, 3);
  const importance whole = bitpq_test::moments_of(g, x, batch, {9, 9});
  for (const std::size_t each : {std::size_t{1}, std::size_t{2}, std::size_t{3}}) {
    gram_accumulator gram(g);
    for (std::size_t first = 0; first < batch; first += each)
      gram.add(nchw_view<const float>(x.data() + first * image, std::min(each, batch - first), 4, 9, 9));
    CHECK(gram.columns() == batch * 81);
    const importance split = gram.finish();
    for (std::size_t group = 0; group < 2; ++group)
      CHECK(bitpq_test::to_eigen(split.gram(group))
                .isApprox(bitpq_test::to_eigen(whole.gram(group)), sum_rounding<float>));
  }
  gram_accumulator gram(g);  // an empty batch adds nothing
  gram.add(nchw_view<const float>(x.data(), batch, 4, 9, 9));
  gram.add(nchw_view<const float>(nullptr, 0, 4, 9, 9));
  CHECK(same_moments(gram.finish(), whole));
}

TEMPLATE_TEST_CASE("second moments are the same bits on any executor", "", float, double) {
  using T = TestType;
  const layer_geometry g = layer_geometry::conv2d(6, 20, {3, 3}, {.padding = {1, 1}, .groups = 2});
  const std::vector<T> x = bitpq_test::correlated_images<T>(4, 20, {14, 15}, 4);
  const nchw_view<const T> view(x.data(), 4, 20, 14, 15);
  gram_accumulator serial(g);
  serial.add(view);
  const importance want = serial.finish();
  for (const std::size_t workers : std::vector<std::size_t>{2, 3, 7}) {
    gram_accumulator gram(g);
    gram.add(view, bitpq_test::thread_executor(workers));
    CHECK(same_moments(gram.finish(), want));
  }
  gram_accumulator gram(g);
  gram.add(view, bitpq_test::backward_executor{});
  CHECK(same_moments(gram.finish(), want));
}

TEST_CASE("a sample of the columns is spread over the call and tells nearly what all of them do") {
  const layer_geometry g = layer_geometry::conv2d(4, 3, {3, 3}, {.stride = {1, 2}, .padding = {1, 1}});
  const std::vector<double> x = bitpq_test::correlated_images<double>(6, 3, {24, 24}, 12);
  const nchw_view<const double> view(x.data(), 6, 3, 24, 24);
  const importance all = bitpq_test::moments_of(g, x, 6, {24, 24});
  gram_accumulator sampled(g, 900), again(g, 900), plenty(g, 6 * 24 * 12);
  for (gram_accumulator* gram : {&sampled, &again, &plenty}) gram->add(view);
  CHECK(sampled.columns() == 900);
  CHECK(same_moments(sampled.finish(), again.finish()));
  CHECK(same_moments(plenty.finish(), all));
  const row_major difference = bitpq_test::to_eigen(sampled.finish().gram(0)) - bitpq_test::to_eigen(all.gram(0));
  const double error = difference.norm() / bitpq_test::to_eigen(all.gram(0)).norm();
  CHECK(error > 1e-6);
  CHECK(error < 0.1);
  again.add(view);  // other columns than in the first call
  CHECK(again.columns() == 1800);
  CHECK(!same_moments(again.finish(), sampled.finish()));

  gram_accumulator one(layer_geometry::linear(2, 1), 4);  // samples 0 .. 15: one of each four
  std::vector<double> ramp(16);
  for (std::size_t i = 0; i < 16; ++i) ramp[i] = static_cast<double>(i);
  one.add(matrix_view<const double>(ramp.data(), 1, 16));
  const double mean_square = std::move(one).finish().gram(0)(0, 0);
  CHECK(mean_square >= (0 + 16 + 64 + 144) / 4.0);
  CHECK(mean_square <= (9 + 49 + 121 + 225) / 4.0);
  bitpq_test::expect_error(errc::bad_params, "second moments of 0 columns per call", [&] { gram_accumulator(g, 0); });
}

TEMPLATE_TEST_CASE("moments of the teacher's outputs and the student's inputs", "", float, double) {
  using T = TestType;
  for (const auto& [name, g, size] : convolutions()) {
    INFO(name);
    const std::size_t batch = 9;
    const std::vector<T> teacher = bitpq_test::correlated_images<T>(batch, g.in_channels, size, 3),
                         student = bitpq_test::correlated_images<T>(batch, g.in_channels, size, 4),
                         w = bitpq_test::random_values<T>(g.rows() * g.cols(), 5);
    const matrix_view<const T> weights(w.data(), g.rows(), g.cols());
    const nchw_view<const T> xt(teacher.data(), batch, g.in_channels, size.h, size.w),
        xs(student.data(), batch, g.in_channels, size.h, size.w);
    bitpq::target_accumulator sums(g), by_threads(g);
    sums.template add<T>(weights, xt, xs);
    by_threads.template add<T>(weights, xt, xs, bitpq_test::thread_executor(3));
    const extent2 out = g.output_size(size);
    CHECK(sums.columns() == batch * out.h * out.w);
    const bitpq::aligned_buffer<double> got = std::move(sums).finish(), threads = std::move(by_threads).finish();
    CHECK(std::equal(got.begin(), got.end(), threads.begin()));
    const std::size_t rows = g.rows() / g.groups();
    double worst = 0;
    for (std::size_t group = 0; group < g.groups(); ++group) {
      const row_major columns = bitpq_test::naive_columns(g, group, xs);
      const row_major want = bitpq_test::to_eigen(matrix_view<const T>(&w[group * rows * g.cols()], rows, g.cols())) *
                             bitpq_test::naive_columns(g, group, xt) * columns.transpose() /
                             static_cast<double>(columns.cols());
      const row_major error =
          bitpq_test::to_eigen(matrix_view<const double>(got.data() + group * rows * g.cols(), rows, g.cols())) - want;
      worst = std::max(worst, error.cwiseAbs().maxCoeff() / want.cwiseAbs().maxCoeff());
    }
    CHECK(worst < 10 * sum_rounding<T>);
  }
  bitpq::target_accumulator sums(layer_geometry::linear(3, 5));
  const std::vector<T> x(5 * 8, T{1});
  const matrix_view<const T> eight(x.data(), 5, 8), seven(x.data(), 5, 7), weights(x.data(), 3, 5),
      four(x.data(), 4, 5);
  bitpq_test::expect_error(errc::bad_shape, "calibration inputs of 8 columns beside 7",
                           [&] { sums.template add<T>(weights, eight, seven); });
  bitpq_test::expect_error(errc::bad_shape, "weights of 4 x 5 for a layer of 3 x 5",
                           [&] { sums.template add<T>(four, eight, eight); });
  CHECK(sums.columns() == 0);
}

TEST_CASE("nothing is added by a call that fails") {
  const layer_geometry g = layer_geometry::conv2d(2, 3, {3, 3}, {.padding = {1, 1}});
  std::vector<float> x = bitpq_test::random_values<float>(2 * 3 * 25, 6);
  gram_accumulator gram(g);
  gram.add(nchw_view<const float>(x.data(), 2, 3, 5, 5));
  const importance before = gram.finish();
  x.back() = std::numeric_limits<float>::quiet_NaN();
  bitpq_test::expect_error(errc::non_finite, "calibration input holds nan at (4, 4)",
                           [&] { gram.add(nchw_view<const float>(x.data(), 2, 3, 5, 5)); });
  bitpq_test::expect_error(errc::bad_shape, "calibration input of 1 x 2 x 5 x 5 for a layer of 3 inputs",
                           [&] { gram.add(nchw_view<const float>(x.data(), 1, 2, 5, 5)); });
  bitpq_test::expect_error(errc::bad_shape, "calibration input of 3 x 5 for a layer of 3 inputs",
                           [&] { gram.add(matrix_view<const float>(x.data(), 3, 5)); });
  CHECK(gram.columns() == 50);
  CHECK(same_moments(gram.finish(), before));
}
