// SPDX-License-Identifier: Apache-2.0

// Moving codes: against a search by hand, and the laws of share and trust ratio. Quant-noise.

#include "support/bad_inputs.hpp"
#include "support/thread_executor.hpp"
#include "support/training_layers.hpp"

#include <bitpq/train/code_refresh.hpp>
#include <bitpq/train/quant_noise.hpp>

#include <limits>

using bitpq::errc;
using bitpq::matrix_view;
using bitpq::pq_matrix;
using bitpq::quant_noise;
using bitpq::refresh_codes;
using bitpq::refresh_params;
using bitpq_test::subject;
using bitpq_test::subjects;

namespace {

constexpr refresh_params unlimited{1, 1e9};

template <class T>
double distance2(const pq_matrix<T>& w, const std::vector<T>& target) {
  const std::vector<T> values = bitpq_test::decoded(w);
  double sum = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double difference = static_cast<double>(values[i]) - static_cast<double>(target[i]);
    sum += difference * difference;
  }
  return sum;
}

/// How many codes differ.
template <class T>
std::size_t moved(const pq_matrix<T>& a, const pq_matrix<T>& b) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < a.codes().size(); ++i) count += a.codes()[i] != b.codes()[i] ? 1 : 0;
  return count;
}

template <class T>
matrix_view<const T> shaped(const std::vector<T>& values, const bitpq::code_format& f) {
  return {values.data(), f.rows, f.cols};
}

}  // namespace

TEMPLATE_TEST_CASE("without limits every block of one stage takes the nearest codeword", "", float, double) {
  for (const subject& s : subjects()) {
    if (s.format.stages > 1) continue;
    INFO(s.name);
    const auto w = bitpq_test::random_pq<TestType>(s.format, 1, bitpq::codeword_type::f32, s.scaled);
    const auto target = bitpq_test::random_values<TestType>(s.format.rows * s.format.cols, 2);
    const auto refreshed = refresh_codes(w, shaped(target, s.format), unlimited);
    CHECK(refreshed.moved == moved(w, refreshed.weights));
    CHECK(refreshed.moved == refreshed.wanted);
    double best = 0;
    for (std::size_t r = 0; r < s.format.rows; ++r)
      for (std::size_t j = 0; j < s.format.blocks(); ++j) {
        double least = std::numeric_limits<double>::infinity();
        for (std::size_t k = 0; k < s.format.codewords; ++k) {
          double sum = 0;
          for (std::size_t i = 0; i < s.format.width_of(j); ++i) {
            const double value = static_cast<double>(w.book()[s.format.book_of(0, j)](k, i) * w.scales()[r]);
            const double wanted = static_cast<double>(target[r * s.format.cols + j * s.format.block_size + i]);
            sum += (value - wanted) * (value - wanted);
          }
          least = std::min(least, sum);
        }
        best += least;
      }
    CHECK(distance2(refreshed.weights, target) == Approx(best).epsilon(1e-4));
  }
}

TEST_CASE("codes come closer to their target within share and trust ratio") {
  for (const subject& s : subjects()) {
    INFO(s.name);
    const auto w = bitpq_test::random_pq<float>(s.format, 1, bitpq::codeword_type::f32, s.scaled);
    const auto target = bitpq_test::random_values<float>(s.format.rows * s.format.cols, 2);
    double before = distance2(w, target), energy = 0;
    for (const float value : bitpq_test::decoded(w)) energy += static_cast<double>(value) * static_cast<double>(value);
    for (const refresh_params& params : {refresh_params{0.1, 1e9}, {1, 0.3}, {0.05, 0.2}, {0, 1}, {1, 0}}) {
      const auto refreshed = refresh_codes(w, shaped(target, s.format), params);
      const std::size_t most = static_cast<std::size_t>(params.share * static_cast<double>(s.format.codes()));
      CHECK(moved(w, refreshed.weights) == refreshed.moved);
      CHECK(refreshed.moved <= most);
      CHECK(refreshed.change <= params.trust_ratio * (1 + 1e-12));
      CHECK(distance2(refreshed.weights, bitpq_test::decoded(w)) ==
            Approx(refreshed.change * refreshed.change * energy).epsilon(1e-5).margin(1e-9));
      const double after = distance2(refreshed.weights, target);
      CHECK((refreshed.moved == 0 ? after == before : after < before));
    }
  }
}

TEST_CASE("the codes that gain most move first") {
  const bitpq::codebook<double> book(std::vector<double>{0, 1, 10}, 1, 3, 1, bitpq::codeword_type::f64);
  const std::vector<std::uint16_t> codes{0, 0, 1, 0};
  const pq_matrix<double> w(2, 2, book, bitpq::packed_codes(2, codes));
  const std::vector<double> target{0.9, 9, 1, 0.4};
  const auto one = refresh_codes(w, {target.data(), 2, 2}, {0.25, 1e9});
  CHECK(one.weights.codes().unpack() == std::vector<std::uint16_t>{0, 2, 1, 0});
  CHECK(one.wanted == 2);
  // The move to 10 leaves the trust region, the one to 1 stays in it.
  const auto trusted = refresh_codes(w, {target.data(), 2, 2}, {1, 1});
  CHECK(trusted.weights.codes().unpack() == std::vector<std::uint16_t>{1, 0, 1, 0});
  CHECK(trusted.change == Approx(1));
}

TEST_CASE("a target that the codes already name moves nothing") {
  for (const subject& s : subjects()) {
    const auto w = bitpq_test::random_pq<double>(s.format, 1, bitpq::codeword_type::f32, s.scaled);
    CHECK(refresh_codes(w, shaped(bitpq_test::decoded(w), s.format), unlimited).moved == 0);
  }
}

TEST_CASE("refreshed codes are the same for any executor") {
  const bitpq_test::thread_executor threads(3);
  const bitpq::code_format format{300, 20, 4, 16, 1, 2};
  const auto w = bitpq_test::random_pq<float>(format, 1);
  const auto target = bitpq_test::random_values<float>(6000, 2);
  const auto serial = refresh_codes(w, shaped(target, format), {0.2, 0.5});
  CHECK(refresh_codes(w, shaped(target, format), {0.2, 0.5}, threads).weights.codes() == serial.weights.codes());
  CHECK(serial.moved > 0);
}

TEST_CASE("bad targets and limits are refused") {
  const auto w = bitpq_test::random_pq<float>({3, 8, 4, 4}, 1);
  std::vector<float> target(24);
  target[11] = std::numeric_limits<float>::infinity();
  const auto refresh = [&](std::size_t rows, const refresh_params& params) {
    return [&, rows, params] { static_cast<void>(refresh_codes(w, {target.data(), rows, 8}, params)); };
  };
  bitpq_test::check_bad_inputs({
      {errc::bad_shape, "target of 2 x 8 for weights of 3 x 8", refresh(2, {})},
      {errc::non_finite, "target holds inf at (1, 3)", refresh(3, {})},
      {errc::bad_params, "share 1.5 of codes is outside 0 .. 1", refresh(3, {1.5, 1})},
      {errc::bad_params, "trust ratio -1 is not a finite number >= 0", refresh(3, {1, -1})},
      {errc::bad_params, "share -0.5 of blocks is outside 0 .. 1", [] { quant_noise(-0.5); }},
      {errc::bad_shape, "weights of 2 x 8 beside codes of 3 x 8",
       [&] { quant_noise(0.5).apply(w, 0, matrix_view<float>(target.data(), 2, 8)); }},
  });
}

TEMPLATE_TEST_CASE("quant-noise replaces random blocks by what their codes stand for", "", float, double) {
  for (const subject& s : subjects()) {
    INFO(s.name);
    const auto w = bitpq_test::random_pq<TestType>(s.format, 1, bitpq::codeword_type::f32, s.scaled);
    const std::vector<TestType> codes = bitpq_test::decoded(w);
    const std::vector<TestType> dense = bitpq_test::random_values<TestType>(codes.size(), 2);
    const quant_noise noise(0.3, 5);
    std::vector<TestType> noisy = dense, again = dense;
    const std::size_t replaced = noise.apply(w, 9, matrix_view<TestType>(noisy.data(), s.format.rows, s.format.cols));
    CHECK(noise.apply(w, 9, matrix_view<TestType>(again.data(), s.format.rows, s.format.cols)) == replaced);
    CHECK(again == noisy);
    std::size_t wrong = 0, blocks = 0;
    for (std::size_t i = 0; i < codes.size(); ++i) {
      const std::size_t column = i % s.format.cols, j = column / s.format.block_size;
      const bool chosen = noise.replaces(9, i / s.format.cols * s.format.blocks() + j);
      wrong += noisy[i] == (chosen ? codes[i] : dense[i]) ? 0 : 1;
      blocks += chosen && column % s.format.block_size == 0 ? 1 : 0;
    }
    CHECK(wrong == 0);
    CHECK(blocks == replaced);
  }
}

TEST_CASE("quant-noise replaces its share of the blocks, others at each step") {
  const quant_noise noise(0.2, 1), none(0), all(1);
  std::size_t count = 0, both = 0;
  for (std::size_t block = 0; block < 5000; ++block) {
    count += noise.replaces(0, block) ? 1 : 0;
    both += noise.replaces(0, block) && noise.replaces(1, block) ? 1 : 0;
    CHECK_FALSE(none.replaces(3, block));
    CHECK(all.replaces(3, block));
  }
  CHECK(std::abs(static_cast<double>(count) - 1000) < 120);
  CHECK(std::abs(static_cast<double>(both) - 200) < 60);
}

TEST_CASE("codewords move and keep codes, scales and storage") {
  const auto w = bitpq_test::random_pq<float>({6, 8, 4, 4, 1, 2}, 1, bitpq::codeword_type::f16, true);
  const std::vector<float> words = bitpq_test::random_values<float>(32, 9);
  const pq_matrix<float> moved_words = bitpq::with_codewords(w, words);
  CHECK(moved_words.codes() == w.codes());
  CHECK(moved_words.format() == w.format());
  CHECK(moved_words.book().type() == bitpq::codeword_type::f16);
  CHECK(std::equal(moved_words.scales().values().begin(), moved_words.scales().values().end(),
                   w.scales().values().begin()));
  CHECK(moved_words.book().values()[7] == Approx(words[7]).epsilon(1e-3));
  bitpq_test::expect_error(errc::bad_shape, "codebook of 2 x 4 x 4 given 31 values",
                           [&] { static_cast<void>(bitpq::with_codewords(w, std::span(words).first(31))); });
}
