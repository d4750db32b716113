// SPDX-License-Identifier: Apache-2.0

// Laws: a part of a compressed matrix decodes to the part of the decoded matrix; decoding is what a product with the
// identity computes, bit for bit.

#include "support/kernels.hpp"
#include "support/random_pq.hpp"

#include <bitpq/gemm/gemm.hpp>

using bitpq::code_format;
using bitpq::matrix_view;
using namespace bitpq_test;

namespace {

/// Rows [first, first + rows) as a matrix of their own.
template <class T>
bitpq::pq_matrix<T> some_rows(const bitpq::pq_matrix<T>& w, std::size_t first, std::size_t rows) {
  const std::size_t each = w.format().row_codes();
  std::vector<std::uint16_t> codes(rows * each);
  w.codes().unpack(first * each, std::span<std::uint16_t>(codes));
  const bitpq::row_scales<T> scales(
      w.scales().values().subspan(w.scales().empty() ? 0 : first, w.scales().empty() ? 0 : rows));
  return {rows, w.cols(), w.book(), bitpq::packed_codes(w.codes().bits(), codes), w.format().stages, scales};
}

const std::vector<code_format> formats{
    {9, 23, 4, 17, 3}, {7, 18, 9, 300, 1}, {16, 16, 1, 2, 16}, {5, 30, 30, 64, 1}, {6, 23, 4, 17, 3, 2}};

}  // namespace

TEMPLATE_TEST_CASE("rows of a compressed matrix decode to the same rows", "", float, double) {
  for (const code_format& format : formats) {
    const auto w = random_pq<TestType>(format, 1, bitpq::codeword_type::f32, format.stages > 1);
    const std::vector<TestType> whole = decoded(w);
    for (std::size_t first = 0; first < format.rows; ++first)
      for (std::size_t rows = 1; first + rows <= format.rows; ++rows) {
        std::vector<TestType> part(rows * format.cols);
        some_rows(w, first, rows).decode({part.data(), rows, format.cols});
        const auto begin = whole.begin() + static_cast<std::ptrdiff_t>(first * format.cols);
        REQUIRE(std::equal(part.begin(), part.end(), begin));
      }
  }
}

TEMPLATE_TEST_CASE("a product with the identity is decoding", "", float, double) {
  for (const code_format& format : formats) {
    const auto w = random_pq<TestType>(format, 2, bitpq::codeword_type::f16, format.stages > 1);
    std::vector<TestType> identity(format.cols * format.cols), y(format.rows * format.cols);
    for (std::size_t i = 0; i < format.cols; ++i) identity[i * format.cols + i] = 1;
    for_each_isa<TestType>([&](const bitpq::kernel_table<TestType>& k) {
      const bitpq::prepacked_matrix<TestType> packed(w, k);
      for (const auto path : {bitpq::gemm_path::decode, bitpq::gemm_path::lut, bitpq::gemm_path::gemv}) {
        INFO(bitpq::to_string(path));
        gemm(packed, {identity.data(), format.cols, format.cols}, {y.data(), format.rows, format.cols}, {}, {}, path);
        REQUIRE(y == decoded(w));
      }
    });
  }
}
