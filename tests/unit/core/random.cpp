// SPDX-License-Identifier: Apache-2.0

#include "support/catch.hpp"

#include <bitpq/core/random.hpp>

#include <algorithm>
#include <vector>

using bitpq::random_stream;

// The known answers of Random123 1.09 (kat_vectors, "philox4x32 10"): words 0 and 1 of a block make one draw, the
// counter is (draw, stream), the key is the seed; least significant words first.
static_assert(random_stream(0, 0).bits(0) == 0xE169C58D6627E8D5U);
static_assert(random_stream(~std::uint64_t{0}, ~std::uint64_t{0}).bits(~std::uint64_t{0}) == 0x41C83B0E408F276DU);
static_assert(random_stream(0x299F31D0A4093822U, 0x0370734413198A2EU).bits(0x85A308D3243F6A88U) == 0x94FDCCEBD16CFE09U);

TEST_CASE("draws are a function of seed, stream and index") {
  const random_stream a(5, 1), again(5, 1), other_stream(5, 2), other_seed(6, 1);
  CHECK(a.bits(1000000) == again.bits(1000000));
  CHECK(a.bits(0) != a.bits(1));
  CHECK(a.bits(0) != other_stream.bits(0));
  CHECK(a.bits(0) != other_seed.bits(0));
}

TEST_CASE("uniform draws fill [0, 1) evenly") {
  const random_stream stream(3);
  constexpr std::size_t draws = 20000, bins = 20;
  std::vector<int> count(bins);
  for (std::size_t i = 0; i < draws; ++i) {
    const double u = stream.uniform(i);
    REQUIRE((u >= 0 && u < 1));
    ++count[static_cast<std::size_t>(u * bins)];
  }
  double chi_squared = 0;
  for (const int n : count) chi_squared += (n - 1000.0) * (n - 1000.0) / 1000.0;
  CHECK(chi_squared < 43.8);  // the 99.9 % point of 19 degrees of freedom
}

TEST_CASE("bounded draws meet every value and no other") {
  const random_stream stream(4);
  for (const std::size_t n : {1U, 2U, 3U, 10U, 257U}) {
    std::vector<int> seen(n);
    for (std::size_t i = 0; i < 20 * n; ++i) {
      const std::size_t k = stream.below(i, n);
      REQUIRE(k < n);
      seen[k] = 1;
    }
    std::size_t values = 0;
    for (const int s : seen) values += s != 0 ? 1 : 0;
    CHECK(values == n);
  }
}

TEST_CASE("normal draws have mean 0, variance 1 and no tails cut off") {
  const random_stream stream(9);
  constexpr std::size_t draws = 40000;
  double sum = 0, squares = 0, largest = 0;
  for (std::size_t i = 0; i < draws; ++i) {
    const double z = stream.normal(i);
    sum += z;
    squares += z * z;
    largest = std::max(largest, std::abs(z));
  }
  CHECK(std::abs(sum / draws) < 0.02);  // four standard errors
  CHECK(std::abs(squares / draws - 1) < 0.03);
  CHECK((largest > 3.5 && largest < 6));
}
