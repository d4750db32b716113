// SPDX-License-Identifier: Apache-2.0

#include "support/catch.hpp"
#include "support/random_data.hpp"

#include <bitpq/codec/codebook.hpp>

#include <algorithm>

using bitpq::codebook;
using bitpq::codeword_type;
using bitpq_test::random_values;

namespace {
template <class T>
codebook<T> book_of(const std::vector<T>& values, std::size_t count, std::size_t codewords, codeword_type type) {
  return codebook<T>(values, count, codewords, values.size() / count / codewords, type);
}

template <class T>
std::vector<T> values_of(const codebook<T>& book) {
  return {book.values().begin(), book.values().end()};
}
}  // namespace

TEMPLATE_TEST_CASE("codewords are kept as given in a wide enough type", "", float, double) {
  const std::vector<TestType> values = random_values<TestType>(3 * 5 * 2, 1);
  const codebook<TestType> book(values, 3, 5, 2,
                                std::is_same_v<TestType, double> ? codeword_type::f64 : codeword_type::f32);
  CHECK(values_of(book) == values);
  CHECK((book.count() == 3 && book.codewords() == 5 && book.block_size() == 2 && book.scales().empty()));
  CHECK((book[2](4, 1) == values[29] && book[1](0, 0) == values[10] && book[0].rows() == 5 && book[0].cols() == 2));
}

TEMPLATE_TEST_CASE("rounding codewords once is rounding them for good", "", float, double) {
  const std::vector<TestType> values = random_values<TestType>(4 * 6 * 3, 2);
  for (const codeword_type type : {codeword_type::f32, codeword_type::f16, codeword_type::i8}) {
    INFO(bitpq::to_string(type));
    const codebook<TestType> once = book_of(values, 4, 6, type);
    const codebook<TestType> twice = book_of(values_of(once), 4, 6, type);
    CHECK(values_of(once) == values_of(twice));
    CHECK(once.type() == type);
  }
}

TEMPLATE_TEST_CASE("fp16 codewords are the nearest, ties to even", "", float, double) {
  const std::vector<TestType> values{1 + TestType(0x1.0p-11), 1 + TestType(0x1.8p-10), -TestType(0.1), TestType(65504)};
  const std::vector<TestType> want{1, 1 + TestType(0x1.0p-9), -TestType(0x1.998p-4), TestType(65504)};
  CHECK(values_of(book_of(values, 1, 4, codeword_type::f16)) == want);
}

TEST_CASE("doubles are rounded to fp16 once, not by way of fp32") {
  // Just above a tie of fp16: rounded to fp32 first it becomes the tie, which goes down.
  const std::vector<double> values{1 + 0x1.0p-11 + 0x1.0p-40, 1 + 0x1.8p-10 - 0x1.0p-40, -(1 + 0x1.0p-11 + 0x1.0p-40)};
  const std::vector<double> want{1 + 0x1.0p-10, 1 + 0x1.0p-10, -(1 + 0x1.0p-10)};
  CHECK(values_of(book_of(values, 1, 3, codeword_type::f16)) == want);
}

TEMPLATE_TEST_CASE("int8 codewords are whole multiples of their codebook's scale", "", float, double) {
  const std::vector<TestType> values = random_values<TestType>(3 * 40 * 2, 3);
  const codebook<TestType> book(values, 3, 40, 2, codeword_type::i8);
  REQUIRE(book.scales().size() == 3);
  for (std::size_t b = 0; b < 3; ++b) {
    TestType largest = 0;
    for (std::size_t i = b * 80; i < (b + 1) * 80; ++i) largest = std::max(largest, std::abs(values[i]));
    CHECK(book.scales()[b] == Approx(static_cast<double>(largest) / 127));
    for (std::size_t i = b * 80; i < (b + 1) * 80; ++i) {
      const auto scale = static_cast<TestType>(book.scales()[b]);
      REQUIRE(book.values()[i] == static_cast<TestType>(book.quantized(i)) * scale);
      REQUIRE(std::abs(book.values()[i] - values[i]) <= scale / 2 * TestType(1.0001));
    }
  }
}

TEMPLATE_TEST_CASE("the stored form of int8 codewords comes back bit for bit", "", float, double) {
  std::vector<std::int8_t> quantized;
  for (int q = -127; q <= 127; ++q) quantized.push_back(static_cast<std::int8_t>(q));
  quantized.insert(quantized.end(), quantized.begin(), quantized.end());
  const std::vector<float> scales{0.0123F, 3.5e-5F};
  const auto book = codebook<TestType>::from_int8(quantized, scales, 51, 5);
  CHECK((book.count() == 2 && book.type() == codeword_type::i8));
  CHECK((book.scales()[0] == scales[0] && book.scales()[1] == scales[1]));
  std::vector<std::int8_t> back;
  for (std::size_t i = 0; i < quantized.size(); ++i) back.push_back(book.quantized(i));
  CHECK(back == quantized);
  CHECK(book.values()[0] == TestType(-127) * static_cast<TestType>(scales[0]));
}

TEMPLATE_TEST_CASE("codebooks of nothing but zeros or subnormals have a usable scale", "", float, double) {
  const TestType least = static_cast<TestType>(std::numeric_limits<float>::denorm_min());
  const codebook<TestType> book(std::vector<TestType>{0, 0, 1, -1, least, -least}, 3, 1, 2, codeword_type::i8);
  CHECK((book.values()[0] == 0 && book.values()[4] == 0 && book.values()[5] == 0));
  CHECK((book.quantized(2) == 127 && book.quantized(3) == -127));
  for (const float scale : book.scales()) CHECK((std::isfinite(scale) && scale > 0));
}
