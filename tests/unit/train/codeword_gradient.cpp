// SPDX-License-Identifier: Apache-2.0

// The gradient by the codewords: against its definition, against finite differences of the loss, and the fused form
// against both.

#include "support/bad_inputs.hpp"
#include "support/guarded_array.hpp"
#include "support/thread_executor.hpp"
#include "support/training_layers.hpp"

#include <bitpq/train/fused_gradient.hpp>

using bitpq::code_format;
using bitpq::errc;
using bitpq::gradient_reduction;
using bitpq::matrix_view;
using bitpq::nchw_view;
using bitpq_test::pass;
using bitpq_test::row_major;
using bitpq_test::subject;
using bitpq_test::subjects;

namespace {

template <class T>
std::vector<double> scattered(const pass<T>& p, gradient_reduction reduction) {
  const code_format& f = p.w.format();
  const row_major dense = p.dense();
  std::vector<double> sums(p.w.book().values().size()), uses(sums.size());
  for (std::size_t r = 0; r < f.rows; ++r)
    for (std::size_t stage = 0; stage < f.stages; ++stage)
      for (std::size_t c = 0; c < f.cols; ++c) {
        const std::size_t j = c / f.block_size, word = f.book_of(stage, j) * f.codewords + p.w.code(r, j, stage);
        const double gradient = dense(static_cast<Eigen::Index>(r), static_cast<Eigen::Index>(c));
        sums[word * f.block_size + c % f.block_size] += static_cast<double>(p.w.scales()[r]) * gradient;
        uses[word * f.block_size + c % f.block_size] += 1;
      }
  if (reduction == gradient_reduction::mean)
    for (std::size_t i = 0; i < sums.size(); ++i) sums[i] /= std::max(uses[i], 1.0);
  return sums;
}

}  // namespace

TEMPLATE_TEST_CASE("codeword gradients are sums or means over the blocks of a codeword", "", float, double) {
  const double bound = sizeof(TestType) == 4 ? 2e-6 : 1e-14;
  for (const subject& s : subjects()) {
    INFO(s.name);
    const pass<TestType> p(s);
    const row_major dense = p.dense();
    const std::vector<TestType> rounded(dense.data(), dense.data() + dense.size());
    for (const gradient_reduction reduction : {gradient_reduction::sum, gradient_reduction::mean}) {
      const std::vector<double> want = scattered(p, reduction);
      const auto from_dense =
          bitpq::codeword_gradient(p.w, matrix_view<const TestType>(rounded.data(), p.w.rows(), p.w.cols()), reduction);
      CHECK(bitpq_test::relative_error(bitpq_test::as_double(from_dense), want) < bound);
      CHECK(bitpq_test::relative_error(bitpq_test::as_double(p.fused(reduction)), want) < bound);
    }
  }
}

TEST_CASE("codeword gradients agree with finite differences") {
  for (const subject& s : subjects()) {
    INFO(s.name);
    const pass<double> p(s);
    const std::vector<double> gradient = p.fused();
    std::vector<double> words(p.w.book().values().begin(), p.w.book().values().end());
    const bitpq::random_stream random(1);
    for (std::size_t draw = 0; draw < 6; ++draw) {
      const std::size_t i = random.below(draw, words.size());
      const double before = words[i], step = 0.5;  // the loss is linear in the codewords
      words[i] = before + step;
      const double above = p.loss(words);
      words[i] = before - step;
      CHECK(gradient[i] == Approx((above - p.loss(words)) / (2 * step)).epsilon(1e-9).margin(1e-9));
      words[i] = before;
    }
  }
}

TEMPLATE_TEST_CASE("fused codeword gradients are the same bits for any executor", "", float, double) {
  const bitpq_test::thread_executor threads(3);
  for (subject s : subjects()) {
    INFO(s.name);
    s.batch *= 11;  // several chunks of columns
    const pass<TestType> p(s);
    const std::vector<TestType> serial = p.fused();
    CHECK(p.fused(gradient_reduction::sum, threads) == serial);
    CHECK(p.fused(gradient_reduction::sum, bitpq_test::backward_executor{}) == serial);
  }
}

TEST_CASE("fused codeword gradients read maps of any layout") {
  const subject s = subjects()[6];
  const pass<float> p(s);
  const std::vector<float> dense = p.fused();
  for (const bitpq_test::layout order : bitpq_test::all_layouts) {
    bitpq_test::guarded_array<float, 4> x({s.batch, s.geometry.in_channels, s.image.h, s.image.w}, order, p.x);
    bitpq_test::guarded_array<float, 4> dy({s.batch, s.geometry.out_channels, p.out.h, p.out.w}, order, p.dy);
    CHECK(bitpq::codeword_gradient(p.w, s.geometry, view(x), view(dy)) == dense);
  }
}

TEST_CASE("a batch of nothing has a gradient of zero") {
  const pass<float> p(subjects()[0]);
  const std::vector<float> gradient =
      bitpq::codeword_gradient(p.w, matrix_view<const float>(nullptr, 30, 0), matrix_view<const float>(nullptr, 40, 0));
  CHECK(gradient == std::vector<float>(64));
}

TEST_CASE("gradients of other shapes are refused") {
  const pass<float> linear(subjects()[0]), conv(subjects()[5]);
  const std::vector<float> some(4000);
  const auto matrix = [&](std::size_t rows, std::size_t cols) {
    return matrix_view<const float>(some.data(), rows, cols);
  };
  const auto maps = [&](std::size_t n, std::size_t c, std::size_t h, std::size_t w) {
    return nchw_view<const float>(some.data(), n, c, h, w);
  };
  bitpq_test::check_bad_inputs({
      {errc::bad_shape, "gradient of 40 x 29 for weights of 40 x 30",
       [&] { static_cast<void>(bitpq::codeword_gradient(linear.w, matrix(40, 29))); }},
      {errc::bad_shape, "inputs of 30 x 7 and output gradients of 40 x 8 for weights of 40 x 30",
       [&] { static_cast<void>(bitpq::codeword_gradient(linear.w, matrix(30, 7), matrix(40, 8))); }},
      {errc::bad_shape, "weights of 40 x 30 for a convolution with 18 x 36",
       [&] {
         static_cast<void>(bitpq::codeword_gradient(linear.w, conv.s.geometry, maps(1, 4, 5, 7), maps(1, 18, 5, 7)));
       }},
      {errc::bad_shape, "inputs of 3 channels for a convolution of 4",
       [&] {
         static_cast<void>(bitpq::codeword_gradient(conv.w, conv.s.geometry, maps(1, 3, 5, 7), maps(1, 18, 5, 7)));
       }},
      {errc::bad_shape, "output gradients of 1 x 18 x 5 x 6, expected 1 x 18 x 5 x 7",
       [&] {
         static_cast<void>(bitpq::codeword_gradient(conv.w, conv.s.geometry, maps(1, 4, 5, 7), maps(1, 18, 5, 6)));
       }},
  });
}
