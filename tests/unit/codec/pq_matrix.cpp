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

TEMPLATE_TEST_CASE("decoding writes any layout and nothing beside it", "", float, double) {
  for (const bitpq::code_format& format :
       {bitpq::code_format{5, 23, 4, 17, 3}, bitpq::code_format{3, 8, 8, 300, 1}, bitpq::code_format{1, 7, 1, 2, 7}}) {
    const pq_matrix<TestType> w = random_pq<TestType>(format, 3);
    for (const layout order : all_layouts) {
      guarded_array<TestType, 2> out({format.rows, format.cols}, order);
      w.decode(view(out));
      CHECK(out.values() == decoded(w));
      CHECK(out.intact());
    }
  }
}
