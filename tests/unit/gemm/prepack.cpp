// SPDX-License-Identifier: Apache-2.0

#include "support/kernels.hpp"
#include "support/random_pq.hpp"

#include <bitpq/gemm/prepack.hpp>

using bitpq::prepacked_matrix;
using namespace bitpq_test;

TEMPLATE_TEST_CASE("prepacking reorders codes and keeps codewords", "", float, double) {
  for (const bitpq::code_format& format :
       {bitpq::code_format{5, 23, 4, 17, 3}, bitpq::code_format{70, 9, 9, 256, 1}, bitpq::code_format{3, 31, 5, 257, 7},
        bitpq::code_format{6, 23, 4, 17, 3, 2}}) {
    const bool scaled = format.stages > 1;
    const bitpq::pq_matrix<TestType> w = random_pq<TestType>(format, 1, bitpq::codeword_type::f32, scaled);
    for_each_isa<TestType>([&](const bitpq::kernel_table<TestType>& k) {
      const prepacked_matrix<TestType> packed(w, k);
      CHECK((packed.rows() == w.rows() && packed.cols() == w.cols() && packed.format() == format));
      CHECK(&packed.kernels() == &k);
      CHECK(packed.code_stride() >= format.rows);
      bool same = true;
      for (std::size_t p = 0; p < format.row_codes(); ++p)
        packed.with_codes(p, 2, [&](const auto* codes) {
          CHECK((sizeof(*codes) == 1) == (format.codewords <= 256));
          for (std::size_t r = 2; r < format.rows; ++r)
            same = same && codes[r - 2] == w.code(r, p % format.blocks(), p / format.blocks());
        });
      CHECK((packed.scales() != nullptr) == scaled);
      for (std::size_t r = 0; scaled && r < format.rows; ++r) same = same && packed.scales()[r] == w.scales()[r];
      const std::size_t book_size = format.codewords * format.block_size;
      for (std::size_t i = 0; i < format.books() * book_size; ++i)
        same = same && packed.book(i / book_size)[i % book_size] == w.book().values()[i];
      CHECK(same);
      CHECK(packed.bytes() >=
            format.codes() * (format.codewords <= 256 ? 1 : 2) + w.book().values().size() * sizeof(TestType));
    });
  }
}

TEST_CASE("prepacked codes stay smaller than the weights they stand for") {
  const bitpq::code_format format{512, 1152, 8, 256, 1};
  const prepacked_matrix<float> packed(random_pq<float>(format, 1));
  CHECK(packed.bytes() < 512 * 1152 * sizeof(float) / 10);
}
