// SPDX-License-Identifier: Apache-2.0

// The unit of 8-bit weights, and the rounding of codewords to it.

#include "support/catch.hpp"
#include "support/random_data.hpp"

#include <bitpq/gemm/detail/int8_rounding.hpp>

#include <cmath>
#include <limits>

using bitpq::detail::int8_unit;
using bitpq::detail::reach_of;
using bitpq::detail::round_codeword;
using bitpq::detail::words_per_extra_word;

namespace {

/// Two codewords of 4, the second with an element of `large`, which every `each`-th of 2048 blocks has (0: none).
bitpq::pq_matrix<float> with_large(float large, std::size_t each) {
  std::vector<std::uint16_t> codes(2048);
  for (std::size_t i = 0; each > 0 && i < codes.size(); i += each) codes[i] = 1;
  return {64, 128, bitpq::codebook<float>(std::vector<float>{1, -0.5F, 0.25F, -1, 0.5F, large, 0, -1}, 1, 2, 4),
          bitpq::packed_codes(1, codes)};
}

float unit_of(const bitpq::pq_matrix<float>& w) { return int8_unit(reach_of(w), w.cols()); }

}  // namespace

TEST_CASE("the unit of 8-bit weights is as small as the budget of extra words allows") {
  const float fine = 1.0F / 127;
  // No element beyond the common ones: as many of these as have the largest would have to be read twice.
  CHECK(unit_of(with_large(1, 2)) == fine);
  // Few are larger, one word for each: their codeword costs two more words where it is three times as large.
  CHECK(unit_of(with_large(3, 2 * words_per_extra_word)) < 1.1F * fine);
  CHECK(unit_of(with_large(3, words_per_extra_word)) > 1.3F * fine);
  CHECK(unit_of(with_large(3, 4)) == 3.0F / 127);
  // Codewords that no row has do not count.
  CHECK(unit_of(with_large(1e30F, 0)) == fine);
  CHECK(unit_of(bitpq::pq_matrix<float>(1, 2, bitpq::codebook<float>(std::vector<float>{0, 0}, 1, 1, 2),
                                        bitpq::packed_codes(1, std::vector<std::uint16_t>{0}))) == 0.0F);
}

TEST_CASE("the unit leaves room for the sums of rows") {
  const std::size_t blocks = 16577;
  std::vector<std::uint16_t> codes(blocks);
  codes[0] = 1;
  const bitpq::pq_matrix<float> w(1, 4 * blocks,
                                  bitpq::codebook<float>(std::vector<float>{1, 1, 1, 1, 100, 1, 1, 1}, 1, 2, 4),
                                  bitpq::packed_codes(1, codes));
  CHECK((4.0 * static_cast<double>(blocks) + 99) / static_cast<double>(unit_of(w)) <= bitpq::max_int8_row);
}

TEST_CASE("what the rounding errors of a codeword add up to is small, and none is as large as a unit") {
  double rounded = 0, nearest = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const std::size_t d = 1 + seed % 20;
    const std::vector<float> values = bitpq_test::random_values<float>(d, seed);
    std::vector<std::int32_t> units(d);
    round_codeword(values, 0.01F, 100, units);
    double sum = 0, plain = 0;
    for (std::size_t i = 0; i < d; ++i) {
      const double exact = static_cast<double>(values[i]) / 0.01;
      REQUIRE(std::abs(units[i] - exact) < 1 + 1e-4);
      REQUIRE(std::abs(units[i]) <= 100);
      sum += units[i] - exact;
      plain += std::nearbyint(exact) - exact;
    }
    rounded += sum * sum;
    nearest += plain * plain;
  }
  CHECK(rounded < 0.5 * nearest);
}

TEST_CASE("codewords of whole units stay as they are, and what is beyond reach is cut off") {
  std::vector<std::int32_t> units(4);
  round_codeword(std::vector<float>{3, -127, 0, 64}, 1, 127, units);
  CHECK(units == std::vector<std::int32_t>{3, -127, 0, 64});
  round_codeword(std::vector<float>{std::numeric_limits<float>::max(), -1e30F, 5, 0}, 0.5F, 127, units);
  CHECK(units == std::vector<std::int32_t>{127, -127, 10, 0});
  round_codeword(std::vector<float>{0, 0, 0, 0}, 0, 0, units);
  CHECK(units == std::vector<std::int32_t>{0, 0, 0, 0});
}

TEST_CASE("rounding ends where a change and its reversal both seem to gain") {
  const std::vector<float> values{-0x1.bc9c92p-2F, -0x1.a760cep-3F};
  std::vector<std::int32_t> rounded(2);
  round_codeword(values, 1, 127, rounded);
  for (std::size_t i = 0; i < values.size(); ++i) CHECK(std::abs(static_cast<float>(rounded[i]) - values[i]) < 1);
}
