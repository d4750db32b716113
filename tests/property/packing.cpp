// SPDX-License-Identifier: Apache-2.0

// Law: unpacking what was packed is the identity, for every width and length.

#include "support/catch.hpp"
#include "support/random_data.hpp"

#include <bitpq/codec/packed_codes.hpp>

using bitpq::packed_codes;

namespace {

/// Bit by bit from the definition of the format.
std::vector<std::uint8_t> packed_by_hand(int bits, const std::vector<std::uint16_t>& codes) {
  const auto width = static_cast<std::size_t>(bits);
  std::vector<std::uint8_t> bytes((codes.size() * width + 7) / 8);
  for (std::size_t bit = 0; bit < codes.size() * width; ++bit)
    if ((codes[bit / width] >> (bit % width) & 1) != 0)
      bytes[bit / 8] = static_cast<std::uint8_t>(bytes[bit / 8] | (1U << (bit % 8)));
  return bytes;
}

void check_round_trip(int bits, const std::vector<std::uint16_t>& codes) {
  INFO(codes.size() << " codes of " << bits << " bits");
  const packed_codes packed(bits, codes);
  const std::vector<std::uint8_t> bytes(packed.bytes().begin(), packed.bytes().end());
  REQUIRE(bytes == packed_by_hand(bits, codes));
  REQUIRE(bytes.size() == packed_codes::bytes_for(bits, codes.size()));
  REQUIRE(packed.unpack() == codes);
  const packed_codes again(bits, codes.size(), bytes);
  REQUIRE(again == packed);
  REQUIRE(again.unpack() == codes);
  for (std::size_t i = 0; i < codes.size(); ++i) REQUIRE(again[i] == codes[i]);
}

}  // namespace

TEST_CASE("unpack of pack is the identity for every width and length") {
  for (int bits = 1; bits <= 16; ++bits) {
    const std::size_t limit = std::size_t{1} << bits;
    for (std::size_t size = 0; size <= 70; ++size) {
      check_round_trip(bits, bitpq_test::random_codes(size, limit, size));
      check_round_trip(bits, std::vector<std::uint16_t>(size, static_cast<std::uint16_t>(limit - 1)));
    }
    check_round_trip(bits, bitpq_test::random_codes(5003, limit, 1));
  }
}

TEST_CASE("any run of codes unpacks as a part of the whole") {
  for (const int bits : {1, 3, 7, 8, 11, 13, 16}) {
    const packed_codes packed(bits, bitpq_test::random_codes(41, std::size_t{1} << bits, 2));
    const std::vector<std::uint16_t> whole = packed.unpack();
    for (std::size_t first = 0; first <= whole.size(); ++first)
      for (std::size_t count = 0; first + count <= whole.size(); ++count) {
        std::vector<std::uint32_t> part(count);
        packed.unpack(first, std::span<std::uint32_t>(part));
        REQUIRE(std::equal(part.begin(), part.end(), whole.begin() + static_cast<std::ptrdiff_t>(first)));
      }
  }
}
