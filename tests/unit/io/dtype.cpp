// SPDX-License-Identifier: Apache-2.0

#include "support/catch.hpp"
#include "unit/io/craft.hpp"

#include <bitpq/io/tensor_values.hpp>
#include <bitpq/io/tensor_view.hpp>

#include <cmath>
#include <limits>

using bitpq::dtype;

TEST_CASE("every dtype is found by its name and stands at its place in the table", "[io]") {
  std::size_t index = 0;
  for (const auto& row : bitpq::detail::dtype_table) {
    CHECK(static_cast<std::size_t>(row.type) == index++);
    CHECK(bitpq::dtype_from(row.name) == row.type);
    CHECK(bitpq::to_string(row.type) == row.name);
    CHECK(bitpq::bits_of(row.type) == row.bits);
  }
  CHECK(index == 20);
  CHECK_FALSE(bitpq::dtype_from("f32").has_value());
  CHECK_FALSE(bitpq::dtype_from("").has_value());
}

TEST_CASE("bytes of a shape are exact, or nothing", "[io]") {
  using shape = std::vector<std::size_t>;
  constexpr std::size_t most = std::numeric_limits<std::size_t>::max();
  CHECK(bitpq::byte_count(dtype::f32, shape{}) == 4);
  CHECK(bitpq::byte_count(dtype::f16, shape{2, 3, 5}) == 60);
  CHECK(bitpq::byte_count(dtype::f64, shape{7, 0}) == 0);
  CHECK(bitpq::byte_count(dtype::f4, shape{2, 3}) == 3);
  CHECK_FALSE(bitpq::byte_count(dtype::f4, shape{3}).has_value());
  CHECK(bitpq::byte_count(dtype::f6_e2m3, shape{4}) == 3);
  CHECK_FALSE(bitpq::byte_count(dtype::f6_e3m2, shape{2}).has_value());
  CHECK_FALSE(bitpq::byte_count(dtype::u8, shape{most, 2}).has_value());
  CHECK_FALSE(bitpq::byte_count(dtype::u8, shape{most, 2, 0}).has_value());
  CHECK_FALSE(bitpq::byte_count(dtype::u8, shape{most}).has_value());  // its bits overflow
  CHECK(bitpq::byte_count(dtype::u8, shape{0, most, most}) == 0);
}

TEST_CASE("every 16-bit pattern survives the way through float", "[io]") {
  for (const dtype type : {dtype::f16, dtype::bf16}) {
    std::size_t nans = 0;
    for (unsigned pattern = 0; pattern <= 0xFFFF; ++pattern) {
      std::byte stored[2];
      bitpq::detail::store_le(static_cast<std::uint16_t>(pattern), stored);
      const std::vector<float> value = bitpq::decode_values<float>(type, stored);
      const std::vector<std::byte> again = bitpq::encode_values<float>(type, value);
      if (std::isnan(value[0])) {
        ++nans;
        CHECK(std::isnan(bitpq::decode_values<float>(type, again)[0]));
      } else if (again[0] != stored[0] || again[1] != stored[1]) {
        FAIL("pattern " << pattern << " of " << bitpq::to_string(type) << " changed");
      }
    }
    CHECK(nans == (type == dtype::f16 ? 2 * 1023 : 2 * 127));
  }
}

TEST_CASE("BF16 rounds to nearest, ties to even", "[io]") {
  const auto through = [](float value) {
    return bitpq::decode_values<float>(dtype::bf16, bitpq::encode_values<float>(dtype::bf16, {&value, 1}))[0];
  };
  CHECK(through(1.0F + 0x1p-8F) == 1.0F);               // half way, 1 is even
  CHECK(through(1.0F + 0x3p-8F) == 1.0F + 0x1p-6F);     // half way, up to the even one
  CHECK(through(1.0F + 0x1.02p-8F) == 1.0F + 0x1p-7F);  // past half way
  CHECK(through(-1.0F - 0x1.02p-8F) == -1.0F - 0x1p-7F);
  CHECK(through(std::numeric_limits<float>::infinity()) == std::numeric_limits<float>::infinity());
  CHECK(bitpq_test::error_of([&] { through(std::numeric_limits<float>::max()); }) ==
        "non_finite: bitpq: value 3.40282e+38 at 0 is beyond the range of BF16");
}

TEMPLATE_TEST_CASE("bytes at any address make numbers", "[io]", float, double) {
  const std::vector<TestType> values = {TestType{0}, TestType(-0.0), TestType{1.5}, TestType{-65504},
                                        std::numeric_limits<TestType>::infinity()};
  for (const dtype type : {dtype::f16, dtype::bf16, dtype::f32, dtype::f64}) {
    const std::vector<std::byte> bytes = bitpq::encode_values<TestType>(type, values);
    CHECK(bytes.size() == values.size() * bitpq::bits_of(type) / 8);
    for (std::size_t shift = 0; shift < 8; ++shift) {
      std::vector<std::byte> moved(shift + bytes.size());
      std::copy(bytes.begin(), bytes.end(), moved.begin() + static_cast<std::ptrdiff_t>(shift));
      const std::vector<TestType> read = bitpq::decode_values<TestType>(type, std::span(moved).subspan(shift));
      CHECK(read.size() == values.size());
      CHECK(std::signbit(read[1]));
      // BF16 keeps eight bits of 65504, so it reads back as 65536.
      CHECK(read[3] == (type == dtype::bf16 ? TestType{-65536} : values[3]));
      CHECK((read[0] == values[0] && read[2] == values[2] && read[4] == values[4]));
    }
  }
}

TEST_CASE("what is no floating-point number, or too large for one, is refused", "[io]") {
  using bitpq_test::error_of;
  const std::vector<double> huge = {1.0, 1e39};
  const std::vector<std::byte> f64 = bitpq::encode_values<double>(dtype::f64, huge);
  CHECK(bitpq::decode_values<double>(dtype::f64, f64) == huge);
  CHECK(error_of([&] { static_cast<void>(bitpq::decode_values<float>(dtype::f64, f64)); }) ==
        "non_finite: bitpq: F64 element 1 is 1e+39, beyond the range of float");
  CHECK(error_of([&] { static_cast<void>(bitpq::encode_values<double>(dtype::f32, huge)); }) ==
        "non_finite: bitpq: value 1e+39 at 1 is beyond the range of F32");
  const std::vector<float> large = {65520.0F};
  CHECK(error_of([&] { static_cast<void>(bitpq::encode_values<float>(dtype::f16, large)); }) ==
        "non_finite: bitpq: value 65520 at 0 is beyond the range of F16");
  CHECK(error_of([&] { static_cast<void>(bitpq::decode_values<float>(dtype::i64, f64)); }) ==
        "unsupported: bitpq: I64 elements are not read or written as floating-point numbers");
  CHECK(error_of([&] { static_cast<void>(bitpq::decode_values<float>(dtype::f32, std::span(f64).first(7))); }) ==
        "bad_shape: bitpq: 7 bytes of F32 elements, which take 4 each");
}
