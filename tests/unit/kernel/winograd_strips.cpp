// SPDX-License-Identifier: Apache-2.0

// Strips of few tiles: what goes in comes out, codewords are vectors, and products are those of every position, on
// whole numbers, for which they are exact.

#include "support/kernels.hpp"
#include "support/random_data.hpp"

#include <bitpq/core/concepts.hpp>

using bitpq::kernel_table;
using namespace bitpq_test;

namespace {

constexpr std::size_t positions = bitpq::winograd_positions(4, 1);

/// Elements of a strip's vectors, and all strips of so many tiles.
template <class T>
std::size_t strip_size(const kernel_table<T>& k) {
  return bitpq::strip_vectors * k.lanes;
}
template <class T>
std::size_t strips_of(const kernel_table<T>& k, std::size_t of_tiles) {
  std::size_t strips = 0;
  for (std::size_t part = 0; part < bitpq::strip_parts(k.lanes); ++part)
    strips += bitpq::ceil_div(bitpq::strip_part_vectors(part, of_tiles, k.lanes), bitpq::strip_vectors);
  return strips;
}

/// The kernels that have strips; those with 32 registers for vectors of at least four elements.
template <class T, class F>
void for_each_with_strips(const F& f) {
  for_each_isa<T>([&](const kernel_table<T>& k) {
    const bool wide = k.target == bitpq::isa::avx512 || k.target == bitpq::isa::avx512vnni ||
                      (k.target == bitpq::isa::neon64 && k.lanes == 4);
    REQUIRE((k.strips.filters != nullptr) == wide);
    REQUIRE((k.u8.multiply_strip != nullptr) == wide);
    if (wide) f(k);
  });
}

}  // namespace

TEST_CASE("Parts cover all positions, the last one those that are left") {
  CHECK(bitpq::strip_parts(16) == 3);
  CHECK(bitpq::strip_part_width(1, 16) == 16);
  CHECK(bitpq::strip_part_width(2, 16) == 4);
  CHECK(bitpq::strip_part_vectors(1, 5, 16) == 5);
  CHECK(bitpq::strip_part_vectors(2, 5, 16) == 2);
  CHECK(bitpq::strip_parts(4) == 9);
  CHECK(bitpq::strip_part_width(8, 4) == 4);
}

TEMPLATE_TEST_CASE("Tiles come out of strips as they went in", "", float, double) {
  for_each_with_strips<TestType>([](const kernel_table<TestType>& k) {
    for (std::size_t count = 1; count <= k.lanes; ++count) {
      const std::size_t whole = bitpq::round_up(count, 4), ld = whole + 3;
      const std::size_t stride = 2 * strip_size(k), strips = strips_of(k, count);
      const std::vector<TestType> v = random_integers<TestType>(positions * ld, count);
      std::vector<TestType> all(strips * stride, 12345), back(positions * ld, 54321);
      k.strips.inputs(v.data(), ld, count, all.data(), stride);
      for (std::size_t s = 0; s < strips; ++s)
        for (std::size_t i = strip_size(k); i < stride; ++i) REQUIRE(all[s * stride + i] == 12345);
      k.strips.outputs(all.data(), stride, count, back.data(), ld);
      INFO(count << " tiles");
      for (std::size_t t = 0; t < positions; ++t)
        for (std::size_t c = 0; c < ld; ++c)
          if (c < count)
            REQUIRE(back[t * ld + c] == v[t * ld + c]);
          else if (c >= whole)
            REQUIRE(back[t * ld + c] == 54321);
    }
  });
}

TEMPLATE_TEST_CASE("Products of strips are those of every position", "", float, double) {
  const std::size_t channels = 5, codewords = 19, ld_words = codewords + 2;
  for_each_with_strips<TestType>([&](const kernel_table<TestType>& k) {
    const std::vector<TestType> u = random_integers<TestType>(positions * ld_words, 1);
    std::vector<TestType> words(bitpq::strip_parts(k.lanes) * codewords * k.lanes);
    k.strips.filters(u.data(), ld_words, codewords, words.data());
    for (std::size_t count = 1; count <= k.lanes; ++count)
      for (const std::size_t rows : {1U, 5U, 29U}) {
        const std::size_t ld = bitpq::round_up(count, 4), size = strip_size(k), strips = strips_of(k, count);
        const std::vector<TestType> v = random_integers<TestType>(channels * positions * ld, count);
        const std::vector<std::uint8_t> codes = random_codes<std::uint8_t>(channels * (rows + 1), codewords, rows);
        std::vector<TestType> inputs(strips * channels * size), sums(strips * rows * size, 1), m(positions * ld);
        for (std::size_t c = 0; c < channels; ++c)
          k.strips.inputs(v.data() + c * positions * ld, ld, count, inputs.data() + c * size, channels * size);
        // The first channel writes, the others add.
        for (const auto& [first, several] : {std::pair<std::size_t, std::size_t>{0, 1}, {1, channels - 1}}) {
          std::size_t strip = 0;
          for (std::size_t part = 0; part < bitpq::strip_parts(k.lanes); ++part)
            for (std::size_t left = bitpq::strip_part_vectors(part, count, k.lanes); left > 0; ++strip) {
              const std::size_t vectors = left < bitpq::strip_vectors ? left : bitpq::strip_vectors;
              left -= vectors;
              k.u8.multiply_strip({words.data() + part * codewords * k.lanes, codes.data() + first * (rows + 1),
                                   rows + 1, inputs.data() + (strip * channels + first) * size, size,
                                   sums.data() + strip * rows * size, rows, vectors, several, first > 0});
            }
        }
        INFO(count << " tiles, " << rows << " rows");
        for (std::size_t r = 0; r < rows; ++r) {
          k.strips.outputs(sums.data() + r * size, rows * size, count, m.data(), ld);
          for (std::size_t t = 0; t < positions; ++t)
            for (std::size_t tile = 0; tile < count; ++tile) {
              TestType want = 0;
              for (std::size_t c = 0; c < channels; ++c)
                want += u[t * ld_words + codes[c * (rows + 1) + r]] * v[(c * positions + t) * ld + tile];
              REQUIRE(m[t * ld + tile] == want);
            }
        }
      }
  });
}
