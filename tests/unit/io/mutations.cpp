// SPDX-License-Identifier: Apache-2.0
//
// Thousands of variants of a right file, the same ones every time: each loads or is refused with a bitpq::error.

#include "fuzz/load_anything.hpp"
#include "support/catch.hpp"
#include "support/paths.hpp"
#include "unit/io/craft.hpp"
#include "unit/io/random_model.hpp"

#include <array>

using bitpq_test::load_anything;
using bitpq_test::outcome;

namespace {

using bytes = std::vector<std::byte>;

bytes right_file() {
  const bitpq_test::temp_dir dir;
  bitpq::save_model(dir / "m", bitpq_test::small_model<float>());
  const std::string text = bitpq_test::read_file(dir / "m");
  bytes file(text.size());
  std::memcpy(file.data(), text.data(), text.size());
  return file;
}

/// Loads from a block of exactly that size, so that the address sanitizer sees a step past the end.
outcome load(const bytes& file) {
  const bytes exact(file.begin(), file.end());
  return load_anything(exact);
}

/// One to four small changes: bits, bytes, JSON's own characters, pieces moved, cut or repeated.
bytes mutated(bytes file, std::size_t header, std::uint64_t seed) {
  const bitpq::random_stream random(seed);
  std::uint64_t draw = 0;
  const auto below = [&](std::size_t n) { return random.below(draw++, n); };
  const auto at = [&](std::size_t i) { return file.begin() + static_cast<std::ptrdiff_t>(i); };
  for (std::size_t changes = 1 + below(4); changes > 0 && file.size() > 16; --changes) {
    const std::size_t i = below(below(4) == 0 ? file.size() : (std::min)(header, file.size()));
    const std::size_t length = 1 + below((std::min)(file.size() - i, std::size_t{32}));
    switch (below(6)) {
      case 0: file[i] ^= static_cast<std::byte>(1U << below(8)); break;
      case 1: file[i] = static_cast<std::byte>(below(256)); break;
      case 2: file[i] = static_cast<std::byte>("{}[]\":,0123456789-e.\\x= "[below(24)]); break;
      case 3: file.erase(at(i), at(i + length)); break;
      case 4: {
        const bytes piece(at(i), at(i + length));
        file.insert(at(below(file.size())), piece.begin(), piece.end());
        break;
      }
      default: file.resize(i); break;
    }
  }
  return file;
}

}  // namespace

TEST_CASE("every truncation of a file is refused", "[io]") {
  const bytes file = right_file();
  REQUIRE(load(file) == outcome::model);
  for (std::size_t size = 0; size < file.size(); ++size)
    CHECK(load(bytes(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(size))) == outcome::refused);
  bytes longer = file;
  longer.emplace_back();
  CHECK(load(longer) == outcome::refused);
}

TEST_CASE("every flipped bit of the header is survived", "[io]") {
  const bytes file = right_file();
  const std::size_t header = bitpq::safetensors_reader(file).header_bytes();
  std::array<std::size_t, 3> outcomes{};
  for (std::size_t bit = 0; bit < header * 8; ++bit) {
    bytes flipped = file;
    flipped[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
    ++outcomes[static_cast<std::size_t>(load(flipped))];
  }
  // A flip in a free string or a tensor's name changes what the file says, not whether it is one.
  CHECK(outcomes[0] > outcomes[1] + outcomes[2]);
  CHECK(outcomes[0] + outcomes[1] + outcomes[2] == header * 8);
}

TEST_CASE("random changes are survived", "[io]") {
  const bytes file = right_file();
  const std::size_t header = bitpq::safetensors_reader(file).header_bytes();
  std::array<std::size_t, 3> outcomes{};
  for (std::uint64_t seed = 0; seed < 10000; ++seed)
    ++outcomes[static_cast<std::size_t>(load(mutated(file, header, seed)))];
  // All three happen, so the changes reach every stage.
  CHECK(outcomes[0] > 1000);
  CHECK(outcomes[1] > 10);
  CHECK(outcomes[2] > 10);
}

TEST_CASE("with the lengths repaired, changes reach the parser behind them", "[io]") {
  const bytes file = right_file();
  const std::size_t header = bitpq::safetensors_reader(file).header_bytes();
  std::size_t refused = 0;
  for (std::uint64_t seed = 0; seed < 5000; ++seed) {
    bytes changed = mutated(bytes(file.begin() + 8, file.begin() + static_cast<std::ptrdiff_t>(header)), header, seed);
    bytes whole(8);
    bitpq::detail::store_le(std::uint64_t{changed.size()}, whole.data());
    whole.insert(whole.end(), changed.begin(), changed.end());
    whole.insert(whole.end(), file.begin() + static_cast<std::ptrdiff_t>(header), file.end());
    refused += load(whole) == outcome::refused ? 1U : 0U;
  }
  CHECK(refused > 1000);
  CHECK(refused < 5000);
}
