// SPDX-License-Identifier: Apache-2.0

#include "support/catch.hpp"

#include <bitpq/core/half.hpp>
#include <bitpq/core/random.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

using bitpq::half_from_float;
using bitpq::half_to_float;

namespace {

constexpr float beyond_all = std::numeric_limits<float>::infinity();

/// The binary16 number nearest to a finite value by arithmetic instead of bits: the quantum of its binade, then the
/// default rounding of the machine, to nearest even.
double nearest_half(double value) {
  const double size = std::fabs(value);
  const int exponent = size == 0 ? -14 : std::max(std::ilogb(size), -14);
  const double quantum = std::ldexp(1.0, exponent - 10);
  const double rounded = std::nearbyint(size / quantum) * quantum;
  return std::copysign(rounded > 65504 ? static_cast<double>(beyond_all) : rounded, value);
}

/// Counted rather than checked one by one: there are millions.
bool rounds_right(float value) {
  const float got = half_to_float(half_from_float(value));
  const double want = nearest_half(static_cast<double>(value));
  return static_cast<double>(got) == want && std::signbit(got) == std::signbit(value);
}

}  // namespace

static_assert(half_from_float(1.0F) == 0x3C00U);
static_assert(half_from_float(-2.0F) == 0xC000U);
static_assert(half_to_float(0x7BFFU) == bitpq::half_max);
static_assert(half_to_float(0x0001U) == 0x1.0p-24F);

TEST_CASE("every binary16 pattern survives a round trip") {
  int wrong = 0;
  for (std::uint32_t pattern = 0; pattern < 0x10000U; ++pattern) {
    const auto half = static_cast<std::uint16_t>(pattern);
    const float value = half_to_float(half);
    const bool is_nan = (pattern & 0x7C00U) == 0x7C00U && (pattern & 0x3FFU) != 0;
    if (is_nan)
      wrong += std::isnan(value) && std::isnan(half_to_float(half_from_float(value))) ? 0 : 1;
    else
      wrong += half_from_float(value) == half && std::signbit(value) == ((pattern >> 15) != 0) ? 0 : 1;
  }
  CHECK(wrong == 0);
}

TEST_CASE("rounding to binary16 is to nearest, ties to even") {
  CHECK(half_from_float(1.0F + 0x1.0p-11F) == 0x3C00U);  // a tie, down to even
  CHECK(half_from_float(1.0F + 0x1.8p-10F) == 0x3C02U);  // a tie, up to even
  CHECK(half_from_float(65519.99F) == 0x7BFFU);
  CHECK(half_from_float(65520.0F) == 0x7C00U);
  CHECK(half_from_float(0x1.0p-25F) == 0U);
  CHECK(half_from_float(0x1.000002p-25F) == 1U);
  CHECK(half_from_float(-0.0F) == 0x8000U);
  CHECK(half_from_float(beyond_all) == 0x7C00U);
  CHECK(half_from_float(-beyond_all) == 0xFC00U);
  CHECK(half_from_float(std::numeric_limits<float>::max()) == 0x7C00U);
  CHECK(half_from_float(std::numeric_limits<float>::denorm_min()) == 0U);

  int wrong = 0;
  for (std::uint32_t pattern = 0; pattern < 0x7BFFU; ++pattern) {  // both sides of every point half way
    const float low = half_to_float(static_cast<std::uint16_t>(pattern));
    const float high = half_to_float(static_cast<std::uint16_t>(pattern + 1));
    const float middle = low + (high - low) / 2;
    for (const float value : {middle, std::nextafterf(middle, 0.0F), std::nextafterf(middle, beyond_all)})
      wrong += (rounds_right(value) ? 0 : 1) + (rounds_right(-value) ? 0 : 1);
  }
  const bitpq::random_stream stream(7);
  for (std::size_t i = 0; i < 200000; ++i) {
    const auto value = std::bit_cast<float>(static_cast<std::uint32_t>(stream.bits(i)));
    if (std::isfinite(value)) wrong += rounds_right(value) ? 0 : 1;
  }
  CHECK(wrong == 0);
}
