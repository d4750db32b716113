// SPDX-License-Identifier: Apache-2.0

// The kernels of every instruction set against plain loops, on whole numbers: the results must be equal, not close.

#include "support/kernels.hpp"
#include "support/random_data.hpp"

#include <bitpq/core/concepts.hpp>

#include <algorithm>
#include <type_traits>

using bitpq::kernel_table;
using namespace bitpq_test;

namespace {

template <class T>
constexpr T guard = T{12345};

/// Whether all of `values` from `first` on still is the guard value.
template <class T>
bool untouched(const std::vector<T>& values, std::size_t first) {
  return std::all_of(values.begin() + static_cast<std::ptrdiff_t>(first), values.end(),
                     [](T v) { return v == guard<T>; });
}

template <class T>
void check_gemm_panel(const kernel_table<T>& k, std::size_t rows, std::size_t depth, bool accumulate, bool flipped) {
  const std::size_t lda = depth + 3, ldc = k.panel + 2;
  const std::vector<T> a = random_integers<T>(rows * lda, rows), b = random_integers<T>(depth * k.panel, depth);
  std::vector<T> c(rows * ldc + 8, guard<T>), want = c;
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t j = 0; j < k.panel; ++j) {
      T sum = accumulate ? static_cast<T>(r + j) : T{0};
      if (accumulate) c[r * ldc + j] = sum;
      for (std::size_t i = 0; i < depth; ++i) sum += a[(flipped ? rows - 1 - r : r) * lda + i] * b[i * k.panel + j];
      want[r * ldc + j] = sum;
    }
  const auto stride = static_cast<std::ptrdiff_t>(lda);
  const T* const first = flipped && rows > 0 ? a.data() + (rows - 1) * lda : a.data();
  k.gemm_panel(first, flipped ? -stride : stride, b.data(), c.data(), static_cast<std::ptrdiff_t>(ldc), rows, depth,
               accumulate);
  INFO(rows << " rows, depth " << depth << (accumulate ? ", accumulating" : "") << (flipped ? ", flipped" : ""));
  REQUIRE(c == want);
}

template <class T, class Code>
void check_decode(const kernel_table<T>& k, std::size_t rows, std::size_t blocks, std::size_t d) {
  const std::size_t words = 37, stride = bitpq::round_up(d, k.lanes), code_stride = rows + 3;
  const std::size_t ldw = blocks * d + k.lanes;
  std::vector<T> book(words * stride + k.lanes);
  for (std::size_t i = 0; i < words * stride; ++i) book[i] = i % stride < d ? static_cast<T>(i + 1) : T{0};
  const std::vector<Code> codes = random_codes<Code>(blocks * code_stride, words, d);
  std::vector<T> weights(rows * ldw + 32, guard<T>);
  k.template on<Code>().decode_rows(book.data(), stride, codes.data(), code_stride, weights.data(), ldw, rows, blocks,
                                    d);
  INFO(rows << " rows, " << blocks << " blocks of " << d);
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t i = 0; i < blocks * d; ++i)
      REQUIRE(weights[r * ldw + i] == book[codes[i / d * code_stride + r] * stride + i % d]);
  // Of the last row a copy may run past the end, by less than a vector.
  REQUIRE(untouched(weights, (rows - 1) * ldw + (blocks - 1) * d + stride));
}

template <class T, class Code>
void check_dot(const kernel_table<T>& k, std::size_t rows, std::size_t blocks, std::size_t d, std::size_t columns) {
  const std::size_t words = 23, code_stride = bitpq::round_up(rows, bitpq::gemv_rows) + 64;
  const bitpq::codeword_vectors vectors = bitpq::split_codeword(d, k.lanes, std::is_same_v<T, float>);
  const std::size_t each = vectors.size();
  REQUIRE(each >= d);
  const std::vector<T> book = random_integers<T>(words * each, 1), x = random_integers<T>(columns * blocks * each, 3);
  const std::vector<Code> codes = random_codes<Code>(blocks * code_stride, words, d);
  const std::size_t y_stride = rows + 3;
  std::vector<T> y(columns * y_stride + 8, guard<T>), want = y;
  for (std::size_t c = 0; c < columns; ++c)
    for (std::size_t r = 0; r < rows; ++r) {
      T& sum = want[c * y_stride + r];
      y[c * y_stride + r] = sum = static_cast<T>(r);
      for (std::size_t j = 0; j < blocks; ++j) {
        const std::size_t word = codes[j * code_stride + r];
        for (std::size_t i = 0; i < each; ++i) sum += book[word * each + i] * x[(c * blocks + j) * each + i];
      }
    }
  const bitpq::dot_operands<T, Code> operands{vectors, book.data(), codes.data(), code_stride, x.data(), blocks * each};
  k.template on<Code>().dot_rows(operands, y.data(), y_stride, rows, blocks, columns);
  INFO(rows << " rows, " << blocks << " blocks of " << d << ", " << columns << " columns");
  REQUIRE(y == want);
}

template <class T, class Code>
void check_lut(const kernel_table<T>& k, std::size_t rows, std::size_t blocks, std::size_t words) {
  const std::size_t code_stride = rows + 2;
  const std::vector<T> tables = random_integers<T>(blocks * words * k.panel, 3);
  const std::vector<Code> codes = random_codes<Code>(blocks * code_stride, words, words);
  std::vector<T> c(rows * k.panel + 40, guard<T>), want = c;
  for (std::size_t i = 0; i < rows * k.panel; ++i) {
    c[i] = want[i] = static_cast<T>(i % 7);
    for (std::size_t j = 0; j < blocks; ++j)
      want[i] += tables[(j * words + codes[j * code_stride + i / k.panel]) * k.panel + i % k.panel];
  }
  k.template on<Code>().lut_add(tables.data(), words, codes.data(), code_stride, c.data(), rows, blocks);
  INFO(rows << " rows, " << blocks << " blocks, " << words << " codewords");
  REQUIRE(c == want);
}

}  // namespace

TEMPLATE_TEST_CASE("gemm_panel multiplies any number of rows and any depth", "", float, double) {
  for_each_isa<TestType>([](const kernel_table<TestType>& k) {
    CHECK(k.panel % k.lanes == 0);
    for (std::size_t rows = 0; rows <= 27; ++rows)
      for (const std::size_t depth : {0U, 1U, 2U, 3U, 7U, 16U, 33U})
        for (const bool accumulate : {false, true}) check_gemm_panel(k, rows, depth, accumulate, rows % 2 == 0);
    check_gemm_panel(k, 13, 700, true, false);
  });
}

TEMPLATE_TEST_CASE("decode_rows copies codewords and stays in its rows", "", float, double) {
  for_each_isa<TestType>([](const kernel_table<TestType>& k) {
    for (const std::size_t d : {1U, 2U, 3U, 4U, 5U, 7U, 8U, 9U, 16U, 17U, 18U, 33U})
      for (const std::size_t blocks : {1U, 2U, 3U, 8U})
        for (const std::size_t rows : {1U, 2U, 12U}) {
          check_decode<TestType, std::uint8_t>(k, rows, blocks, d);
          check_decode<TestType, std::uint16_t>(k, rows, blocks, d);
        }
  });
}

TEMPLATE_TEST_CASE("dot_rows multiplies codewords with one or two vectors", "", float, double) {
  for_each_isa<TestType>([](const kernel_table<TestType>& k) {
    for (const std::size_t d : {1U, 2U, 3U, 4U, 5U, 8U, 9U, 12U, 13U, 16U, 17U, 18U, 24U, 33U})
      for (const std::size_t blocks : {1U, 2U, 7U, 65U})
        for (const std::size_t rows : {1U, 2U, 3U, 7U, 8U, 9U, 63U, 64U, 130U})
          for (const std::size_t columns : {1U, 2U}) {
            check_dot<TestType, std::uint8_t>(k, rows, blocks, d, columns);
            check_dot<TestType, std::uint16_t>(k, rows, blocks, d, columns);
          }
  });
}

TEMPLATE_TEST_CASE("lut_add adds table entries", "", float, double) {
  for_each_isa<TestType>([](const kernel_table<TestType>& k) {
    for (const std::size_t words : {1U, 2U, 17U, 256U})
      for (const std::size_t blocks : {1U, 2U, 5U, 16U})
        for (std::size_t rows = 1; rows <= 9; ++rows) {
          check_lut<TestType, std::uint8_t>(k, rows, blocks, words);
          check_lut<TestType, std::uint16_t>(k, rows, blocks, words);
        }
    check_lut<TestType, std::uint16_t>(k, 6, 3, 1000);
  });
}
