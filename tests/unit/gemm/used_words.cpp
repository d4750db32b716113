// SPDX-License-Identifier: Apache-2.0

// Tables of the codewords in use: whatever codes name, the path lut computes what decode does. On whole numbers:
// results must be equal, not close.

#include "support/kernels.hpp"
#include "support/random_data.hpp"

#include <bitpq/gemm/conv2d.hpp>
#include <bitpq/gemm/gemm.hpp>

#include <set>

using bitpq::code_format;
using bitpq::gemm_path;
using bitpq::prepacked_matrix;
using namespace bitpq_test;

namespace {

/// A matrix whose block positions each draw from `pool` neighbouring codewords, of its own, or from all.
template <class T>
bitpq::pq_matrix<T> skewed(const code_format& format, std::size_t pool) {
  std::vector<std::uint16_t> codes = random_codes<std::uint16_t>(format.codes(), pool, 3);
  for (std::size_t i = 0; i < codes.size(); ++i)
    codes[i] = static_cast<std::uint16_t>((codes[i] + i % format.row_codes() * 37) % format.codewords);
  const std::vector<T> words = random_integers<T>(format.books() * format.codewords * format.block_size, 2);
  return {format.rows, format.cols, bitpq::codebook<T>(words, format.books(), format.codewords, format.block_size),
          bitpq::packed_codes(format.code_bits(), codes), format.stages};
}

template <class T>
void check_product(const prepacked_matrix<T>& w, std::size_t columns) {
  const std::vector<T> x = random_integers<T>(w.cols() * columns, 1);
  std::vector<T> direct(w.rows() * columns), looked_up(direct.size());
  gemm(w, {x.data(), w.cols(), columns}, {direct.data(), w.rows(), columns}, {}, {}, gemm_path::decode);
  gemm(w, {x.data(), w.cols(), columns}, {looked_up.data(), w.rows(), columns}, {}, {}, gemm_path::lut);
  INFO(w.rows() << " x " << w.cols() << " x " << columns << ", blocks of " << w.format().block_size << ", "
                << w.words_per_block() << " of " << w.format().codewords << " codewords");
  REQUIRE(looked_up == direct);
}

}  // namespace

TEMPLATE_TEST_CASE("tables of the codewords in use give what decoding gives", "", float, double) {
  const code_format formats[] = {
      {40, 62, 8, 256, 1},     // fewer rows than codewords, a tail
      {150, 90, 18, 256, 2},   // wide tables, a codebook per half
      {150, 36, 4, 16, 1},     // narrow ones
      {33, 50, 9, 100, 1, 3},  // three stages
      {20, 48, 6, 300, 1},     // codes of 16 bits
  };
  for (const code_format& format : formats)
    for (const std::size_t pool : {std::size_t{1}, std::size_t{9}, format.codewords}) {
      const bitpq::pq_matrix<TestType> w = skewed<TestType>(format, pool);
      for_each_isa<TestType>([&](const bitpq::kernel_table<TestType>& k) {
        const prepacked_matrix<TestType> packed(w, k);
        for (const std::size_t columns : {k.lanes, 2 * k.lanes + 1, 5 * k.lanes + 3}) check_product(packed, columns);
      });
    }
}

TEST_CASE("a long matrix looks up in several runs") {
  check_product(prepacked_matrix<float>(skewed<float>({70, 1203, 8, 256, 1}, 50)), 70);
  check_product(prepacked_matrix<float>(skewed<float>({2100, 80, 8, 256, 1}, 20)), 35);
}

TEST_CASE("groups look up in tables of the codewords that any of them uses") {
  const bitpq::layer_geometry g = bitpq::layer_geometry::conv2d(64, 32, {3, 3}, {{2, 2}, {1, 1}, {1, 1}, 2});
  const prepacked_matrix<float> w(skewed<float>({g.rows(), g.cols(), 9, 256, 1}, 40));
  const std::vector<float> x = random_integers<float>(32 * 9 * 9, 4);
  std::vector<float> direct(64 * 5 * 5), looked_up(direct.size());
  conv2d(w, g, {x.data(), 1, 32, 9, 9}, {direct.data(), 1, 64, 5, 5}, {}, {}, gemm_path::decode);
  conv2d(w, g, {x.data(), 1, 32, 9, 9}, {looked_up.data(), 1, 64, 5, 5}, {}, {}, gemm_path::lut);
  CHECK(looked_up == direct);
}

TEST_CASE("a matrix knows how many codewords its blocks use") {
  const code_format format{100, 64, 8, 256, 1};
  const auto used = [](const code_format& f, std::size_t pool) {
    return prepacked_matrix<float>(skewed<float>(f, pool)).words_per_block();
  };
  CHECK(used(format, 1) == 1);
  CHECK((used(format, 9) > 8 && used(format, 9) <= 9));
  const bitpq::pq_matrix<float> w = skewed<float>(format, 256);
  std::size_t names = 0;
  for (std::size_t j = 0; j < format.blocks(); ++j) {
    std::set<std::size_t> words;
    for (std::size_t r = 0; r < format.rows; ++r) words.insert(w.code(r, j));
    names += words.size();
  }
  CHECK(prepacked_matrix<float>(w).words_per_block() * static_cast<double>(format.blocks()) ==
        static_cast<double>(names));
  // Lists of all, or of nearly all that rows can name, are not kept, nor are those of long names.
  CHECK(used({1000, 64, 8, 16, 1}, 16) == 16);
  CHECK(used({100, 64, 8, 300, 1}, 1) == 300);
  CHECK(prepacked_matrix<float>(skewed<float>(format, 9)).bytes() <
        prepacked_matrix<float>(skewed<float>(format, 256)).bytes());
}

TEST_CASE("entries are named as a table of them says") {
  const std::vector<std::uint8_t> entry_of = random_codes<std::uint8_t>(256, 256, 1);
  for_each_isa<float>([&](const bitpq::kernel_table<float>& k) {
    for (const std::size_t n : {0U, 1U, 63U, 64U, 65U, 300U}) {
      const std::vector<std::uint8_t> codes = random_codes<std::uint8_t>(n, 256, n);
      std::vector<std::uint8_t> entries(n + 1, 77);
      k.name_entries(entry_of.data(), codes.data(), n, entries.data());
      for (std::size_t i = 0; i < n; ++i) REQUIRE(entries[i] == entry_of[codes[i]]);
      REQUIRE(entries[n] == 77);
    }
  });
}
