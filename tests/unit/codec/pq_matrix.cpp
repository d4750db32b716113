// SPDX-License-Identifier: Apache-2.0

#include "support/catch.hpp"
#include "support/guarded_array.hpp"
#include "support/random_pq.hpp"

#include <bitpq/codec/pq_matrix.hpp>

using bitpq::pq_matrix;
using namespace bitpq_test;

TEST_CASE("decoding puts codewords where the codes say") {
  // Two codebooks of two codewords of two elements; rows of five columns: blocks of 2, 2 and 1, the first two of
  // which draw from codebook 0.
  const std::vector<float> words{1, 2, 3, 4, 10, 20, 30, 40};
  const std::vector<std::uint16_t> codes{0, 1, 0, 1, 1, 1};
  const pq_matrix<float> w(2, 5, bitpq::codebook<float>(words, 2, 2, 2), bitpq::packed_codes(1, codes));
  std::vector<float> out(10, -1.0F);
  w.decode({out.data(), 2, 5});
  CHECK(out == std::vector<float>{1, 2, 3, 4, 10, 3, 4, 3, 4, 30});
  CHECK((w.rows() == 2 && w.cols() == 5 && w.code(0, 1) == 1 && w.code(0, 2) == 0 && w.code(1, 2) == 1));
}

TEST_CASE("a block is the sum of its stages' codewords, times its row's scale") {
  // Two stages of two codebooks each, of two codewords of two elements; rows of five columns in blocks of 2, 2 and 1,
  // the first two of which draw from the first codebook of a stage.
  const std::vector<float> words{1, 2, 3, 4, 10, 20, 30, 40, 100, 200, 300, 400, 1000, 2000, 3000, 4000};
  const std::vector<std::uint16_t> codes{0, 1, 0, /**/ 1, 0, 1, /**/ 1, 1, 1, /**/ 0, 0, 0};
  const std::vector<float> scales{2, -0.5F};
  const pq_matrix<float> w(2, 5, bitpq::codebook<float>(words, 4, 2, 2), bitpq::packed_codes(1, codes), 2,
                           bitpq::row_scales<float>(scales));
  std::vector<float> out(10, -1.0F);
  w.decode({out.data(), 2, 5});
  CHECK(out == std::vector<float>{602, 804, 206, 408, 6020, -51.5F, -102, -51.5F, -102, -515});
  CHECK((w.format() == bitpq::code_format{2, 5, 2, 2, 2, 2}));
  CHECK((w.code(0, 1) == 1 && w.code(0, 1, 1) == 0 && w.code(1, 2) == 1 && w.code(1, 2, 1) == 0));
  CHECK((w.scales()[0] == 2 && w.scales().type() == bitpq::codeword_type::f16));
}

TEMPLATE_TEST_CASE("row scales are rounded to what is stored", "", float, double) {
  const std::vector<TestType> values{1 + TestType(0x1.0p-11), -TestType(0.1), 0};
  const bitpq::row_scales<TestType> half(values), single(values, bitpq::codeword_type::f32), none;
  CHECK((half[0] == 1 && half[1] == -TestType(0x1.998p-4) && half[2] == 0 && half.size() == 3));
  CHECK((single[0] == values[0] && single[1] == static_cast<TestType>(-0.1F)));
  CHECK((none.empty() && none[5] == 1 && !none.type() && half.type() == bitpq::codeword_type::f16));
}

TEMPLATE_TEST_CASE("decoding writes any layout and nothing beside it", "", float, double) {
  for (const bitpq::code_format& format : {bitpq::code_format{5, 23, 4, 17, 3}, bitpq::code_format{3, 8, 8, 300, 1},
                                           bitpq::code_format{1, 7, 1, 2, 7}, bitpq::code_format{4, 23, 4, 17, 3, 3}}) {
    const pq_matrix<TestType> w = random_pq<TestType>(format, 3, bitpq::codeword_type::f32, format.stages > 1);
    for (const layout order : all_layouts) {
      guarded_array<TestType, 2> out({format.rows, format.cols}, order);
      w.decode(view(out));
      CHECK(out.values() == decoded(w));
      CHECK(out.intact());
    }
  }
}
