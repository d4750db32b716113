// SPDX-License-Identifier: Apache-2.0

// The gradient by a layer's inputs: against finite differences of the loss <dy, y>, and Eigen's formula.

#include "support/bad_inputs.hpp"
#include "support/guarded_array.hpp"
#include "support/thread_executor.hpp"
#include "support/training_layers.hpp"

#include <bitpq/train/input_gradient.hpp>

using bitpq::errc;
using bitpq::matrix_view;
using bitpq::nchw_view;
using bitpq_test::pass;
using bitpq_test::subject;
using bitpq_test::subjects;

namespace {

template <class T>
std::vector<T> gradient(const pass<T>& p, bitpq::executor_ref exec = {}) {
  std::vector<T> dx(p.x.size(), T{7});
  const subject& s = p.s;
  if (p.linear())
    bitpq::input_gradient(p.w, matrix_view<const T>(p.dy.data(), s.batch, p.w.rows()).transposed(),
                          matrix_view<T>(dx.data(), s.batch, p.w.cols()).transposed(), exec);
  else
    bitpq::input_gradient(p.w, s.geometry, p.output_gradients(),
                          nchw_view<T>(dx.data(), s.batch, s.geometry.in_channels, s.image.h, s.image.w), exec);
  return dx;
}

double loss(const pass<double>& p, const std::vector<double>& x) {
  const std::vector<double> y =
      bitpq_test::reference_convolution(p.s.geometry, bitpq_test::decoded(p.w), x, p.s.batch, p.s.image);
  return std::inner_product(y.begin(), y.end(), p.dy.begin(), 0.0);
}

}  // namespace

TEST_CASE("input gradients agree with finite differences") {
  for (const subject& s : subjects()) {
    INFO(s.name);
    const pass<double> p(s);
    const std::vector<double> dx = gradient(p);
    std::vector<double> x = p.x;
    const bitpq::random_stream random(2);
    for (std::size_t draw = 0; draw < 8; ++draw) {
      const std::size_t i = random.below(draw, x.size());
      x[i] = p.x[i] + 0.5;
      const double above = loss(p, x);
      x[i] = p.x[i] - 0.5;
      CHECK(dx[i] == Approx(above - loss(p, x)).epsilon(1e-9).margin(1e-9));
      x[i] = p.x[i];
    }
  }
}

TEMPLATE_TEST_CASE("input gradients of linear layers are the transposed product", "", float, double) {
  for (const subject& s : subjects()) {
    const pass<TestType> p(s);
    if (!p.linear()) continue;
    INFO(s.name);
    const bitpq_test::row_major dy =
        bitpq_test::to_eigen(matrix_view<const TestType>(p.dy.data(), s.batch, p.w.rows()));
    const bitpq_test::row_major want = dy * bitpq_test::weights_of(p.w);
    CHECK(bitpq_test::relative_error(bitpq_test::as_double(gradient(p)),
                                     std::vector<double>(want.data(), want.data() + want.size())) < 1e-6);
  }
}

TEMPLATE_TEST_CASE("input gradients are the same bits for any executor", "", float, double) {
  const bitpq_test::thread_executor threads(3);
  for (const subject& s : subjects()) {
    INFO(s.name);
    const pass<TestType> p(s);
    const std::vector<TestType> serial = gradient(p);
    CHECK(gradient(p, threads) == serial);
    CHECK(gradient(p, bitpq_test::backward_executor{}) == serial);
  }
}

TEST_CASE("many rows are multiplied in several runs") {
  const pass<float> p({"many rows", bitpq::layer_geometry::linear(900, 20), {1, 1}, 70, {900, 20, 4, 32}});
  const bitpq_test::row_major dy = bitpq_test::to_eigen(matrix_view<const float>(p.dy.data(), 70, 900));
  const bitpq_test::row_major want = dy * bitpq_test::weights_of(p.w);
  CHECK(bitpq_test::relative_error(bitpq_test::as_double(gradient(p)),
                                   std::vector<double>(want.data(), want.data() + want.size())) < 2e-6);
}

TEST_CASE("input gradients are written to maps of any layout, and nothing beside them") {
  const subject s = subjects()[6];
  const pass<float> p(s);
  const std::vector<float> want = gradient(p);
  for (const bitpq_test::layout order : bitpq_test::all_layouts) {
    bitpq_test::guarded_array<float, 4> dx({s.batch, s.geometry.in_channels, s.image.h, s.image.w}, order);
    bitpq_test::guarded_array<float, 4> dy({s.batch, s.geometry.out_channels, p.out.h, p.out.w}, order, p.dy);
    bitpq::input_gradient(p.w, s.geometry, view(dy), view(dx));
    CHECK(dx.values() == want);
    CHECK(dx.intact());
  }
}

TEST_CASE("input gradients of other shapes are refused, nothing written") {
  const pass<float> linear(subjects()[0]), conv(subjects()[5]);
  const std::vector<float> dy(4000);
  std::vector<float> dx(4000, 3.0F);
  bitpq_test::check_bad_inputs({
      {errc::bad_shape, "output gradients of 40 x 8 and input gradients of 29 x 8 for weights of 40 x 30",
       [&] {
         bitpq::input_gradient(linear.w, {dy.data(), 40, 8}, {dx.data(), 29, 8});
       }},
      {errc::bad_shape, "output gradients of 1 x 18 x 5 x 6, expected 1 x 18 x 5 x 7",
       [&] {
         bitpq::input_gradient(conv.w, conv.s.geometry, {dy.data(), 1, 18, 5, 6}, {dx.data(), 1, 4, 5, 7});
       }},
  });
  CHECK(dx == std::vector<float>(4000, 3.0F));
}
