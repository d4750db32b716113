// SPDX-License-Identifier: Apache-2.0

#include "support/catch.hpp"

#include <bitpq/codec/packed_codes.hpp>

using bitpq::packed_codes;

namespace {
std::vector<std::uint8_t> bytes_of(const packed_codes& codes) { return {codes.bytes().begin(), codes.bytes().end()}; }
packed_codes pack(int bits, const std::vector<std::uint16_t>& codes) { return packed_codes(bits, codes); }
}  // namespace

TEST_CASE("codes are packed least significant bit first, without gaps") {
  CHECK(bytes_of(pack(1, {1, 0, 1, 1, 0, 0, 0, 1, 1})) == std::vector<std::uint8_t>{0x8D, 0x01});
  CHECK(bytes_of(pack(3, {1, 2, 3, 4, 5})) == std::vector<std::uint8_t>{0xD1, 0x58});
  CHECK(bytes_of(pack(8, {0xAB, 0xCD})) == std::vector<std::uint8_t>{0xAB, 0xCD});
  CHECK(bytes_of(pack(11, {0x7FF, 0x001})) == std::vector<std::uint8_t>{0xFF, 0x0F, 0x00});
  CHECK(bytes_of(pack(12, {0xABC, 0xDEF})) == std::vector<std::uint8_t>{0xBC, 0xFA, 0xDE});
  CHECK(bytes_of(pack(16, {0x1234, 0xFFFF})) == std::vector<std::uint8_t>{0x34, 0x12, 0xFF, 0xFF});
  CHECK(bytes_of(pack(16, {})).empty());
}

TEST_CASE("packed bytes are taken as they are") {
  const packed_codes codes(3, 5, {0xD1, 0x58});
  CHECK(codes.unpack() == std::vector<std::uint16_t>{1, 2, 3, 4, 5});
  CHECK((codes == pack(3, {1, 2, 3, 4, 5})));
  CHECK_FALSE(codes == pack(3, {1, 2, 3, 4, 4}));
  CHECK((codes.size() == 5 && codes.bits() == 3 && codes[3] == 4));
  CHECK(packed_codes(5, 0, {}).unpack().empty());
  CHECK(packed_codes().size() == 0);
}

TEST_CASE("codes unpack into elements of any width that holds them") {
  const packed_codes codes = pack(8, {250, 251, 252, 253});
  std::vector<std::uint8_t> narrow(2);
  codes.unpack(1, std::span<std::uint8_t>(narrow));
  CHECK(narrow == std::vector<std::uint8_t>{251, 252});
  std::vector<std::uint32_t> wide(4);
  codes.unpack(0, std::span<std::uint32_t>(wide));
  CHECK(wide == std::vector<std::uint32_t>{250, 251, 252, 253});
  codes.unpack(4, std::span<std::uint32_t>());
}
