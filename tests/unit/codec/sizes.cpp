// SPDX-License-Identifier: Apache-2.0

#include "support/catch.hpp"
#include "support/random_pq.hpp"

#include <bitpq/codec/pq_matrix.hpp>

using bitpq::code_format;
using bitpq::codeword_type;
using bitpq::size_report;

static_assert(bitpq::code_bits_for(1) == 1 && bitpq::code_bits_for(2) == 1 && bitpq::code_bits_for(3) == 2);
static_assert(bitpq::code_bits_for(256) == 8 && bitpq::code_bits_for(257) == 9 && bitpq::code_bits_for(2048) == 11);
static_assert(bitpq::code_bits_for(65535) == 16 && bitpq::code_bits_for(65536) == 16);

namespace {
void check(const size_report& size, std::size_t codes, std::size_t codebook, std::size_t scales, std::size_t bytes) {
  CHECK(size.code_bits == codes);
  CHECK(size.codebook_bits == codebook);
  CHECK(size.scale_bits == scales);
  CHECK(size.total_bits() == codes + codebook + scales);
  CHECK(size.bytes() == bytes);
}
}  // namespace

TEST_CASE("sizes are those computed by hand") {
  // 64 x 576 in blocks of 9: 64 per row, 4096 codes of 8 bits; 256 codewords of 9.
  const code_format conv{64, 576, 9, 256, 1};
  check(size_of(conv, codeword_type::f16), 4096 * 8, 256 * 9 * 16, 0, 4096 + 4608);
  check(size_of(conv, codeword_type::f32), 4096 * 8, 256 * 9 * 32, 0, 4096 + 9216);
  check(size_of(conv, codeword_type::f64), 4096 * 8, 256 * 9 * 64, 0, 4096 + 18432);
  check(size_of(conv, codeword_type::i8), 4096 * 8, 256 * 9 * 8, 32, 4096 + 2304 + 4);
  CHECK(size_of(conv, codeword_type::f16).bits_per_weight() == Approx((4096 + 4608) * 8 / 36864.0));

  // 10 x 130 in blocks of 8: 17 per row, the last of 2; 170 codes of 11 bits = 1870, in whole bytes 1872.
  const code_format linear{10, 130, 8, 2048, 1};
  check(size_of(linear, codeword_type::f16), 1872, 2048 * 8 * 16, 0, 234 + 32768);

  // 3 x 12 in blocks of 2 with 3 codebooks of 5: 18 codes of 3 bits = 54, in whole bytes 56.
  const code_format several{3, 12, 2, 5, 3};
  check(size_of(several, codeword_type::i8), 56, 3 * 5 * 2 * 8, 3 * 32, 7 + 30 + 12);
  CHECK(size_of(several, codeword_type::i8).weights == 36);

  // The same in two stages, with a scale of 16 or 32 bits for each of the 3 rows.
  const code_format staged{3, 12, 2, 5, 3, 2};
  check(size_of(staged, codeword_type::i8), 112, 2 * 240, 2 * 96, 14 + 60 + 24);
  check(size_of(staged, codeword_type::f16, codeword_type::f16), 112, 960, 3 * 16, 14 + 120 + 6);
  check(size_of(staged, codeword_type::i8, codeword_type::f32), 112, 480, 192 + 3 * 32, 14 + 60 + 36);

  // One codeword still costs a bit per code.
  check(size_of(code_format{1, 1, 1, 1, 1}, codeword_type::f32), 8, 32, 0, 5);
  CHECK(size_report{}.bits_per_weight() == 0);
}

TEST_CASE("a matrix reports what its parts hold") {
  const bitpq::pq_matrix<float> w = bitpq_test::random_pq<float>({7, 45, 4, 37, 3, 2}, 1, codeword_type::i8, true);
  const size_report size = w.size();
  CHECK(size.code_bits == 8 * w.codes().bytes().size());
  CHECK(size.codebook_bits == 8 * w.book().values().size());
  CHECK(size.scale_bits == 32 * w.book().scales().size() + 16 * w.scales().size());
  CHECK(size.weights == 7 * 45);
}

TEST_CASE("a format knows its blocks and their codebooks") {
  const code_format f{4, 29, 4, 16, 3};  // 8 blocks, the last of 1 column; codebooks of 3, 3 and 2 positions
  f.validate();
  CHECK((f.blocks() == 8 && f.codes() == 32 && f.code_bits() == 4 && f.blocks_per_codebook() == 3));
  CHECK((f.width_of(0) == 4 && f.width_of(6) == 4 && f.width_of(7) == 1));
  CHECK((f.codebook_of(0) == 0 && f.codebook_of(2) == 0 && f.codebook_of(3) == 1 && f.codebook_of(7) == 2));
  CHECK((f.codebook_end(0) == 3 && f.codebook_end(2) == 3 && f.codebook_end(5) == 6 && f.codebook_end(6) == 8));
  CHECK((f.row_codes() == 8 && f.books() == 3 && f.position(0, 5) == 5 && f.book_of(0, 7) == 2));
  const code_format staged{4, 29, 4, 16, 3, 2};
  CHECK((staged.blocks() == 8 && staged.row_codes() == 16 && staged.codes() == 64 && staged.books() == 6));
  CHECK((staged.position(1, 5) == 13 && staged.book_of(1, 7) == 5 && staged.codebook_of(7) == 2));
  CHECK_FALSE(f == staged);
  CHECK(f == code_format{4, 29, 4, 16, 3});
  CHECK_FALSE(f == code_format{4, 29, 4, 16, 2});
  const code_format whole{2, 8, 4, 2, 1};
  CHECK((whole.width_of(1) == 4 && whole.blocks() == 2));
}

TEST_CASE("a matrix not yet given holds nothing") {
  const bitpq::pq_matrix<float> nothing;
  CHECK((nothing.rows() == 0 && nothing.cols() == 0));
  CHECK(nothing.format().blocks() == 0);
  CHECK(nothing.size().bytes() == 0);
  bitpq::pq_matrix<float>().decode({});
}
