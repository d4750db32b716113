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
constexpr T border = T{12345};

/// Whether all of `values` from `first` on still is the border value.
template <class T>
bool untouched(const std::vector<T>& values, std::size_t first) {
  return std::all_of(values.begin() + static_cast<std::ptrdiff_t>(first), values.end(),
                     [](T v) { return v == border<T>; });
}

/// Whether the sums of some wanted columns are as expected, and nothing beyond their last vector was written.
template <class T>
bool same_columns(const kernel_table<T>& k, const std::vector<T>& c, const std::vector<T>& want, std::size_t ld,
                  std::size_t rows, std::size_t columns) {
  const std::size_t written = bitpq::round_up(columns, k.lanes);
  for (std::size_t i = 0; i < c.size(); ++i) {
    const std::size_t r = i / ld, j = i % ld;
    if (r < rows && j < columns ? c[i] != want[i] : (r >= rows || j >= written) && c[i] != border<T>) return false;
  }
  return true;
}

/// A panel of `columns` wanted columns, in rows of ld elements.
template <class T>
struct panel_sums {
  std::size_t ld, rows, columns;
  std::vector<T> c, want;

  panel_sums(std::size_t row_size, std::size_t row_count, std::size_t column_count)
      : ld(row_size), rows(row_count), columns(column_count), c(rows * ld + 64, border<T>), want(c) {}

  /// want[r][j] = product(r, j), added to what stands there when accumulating.
  template <class Product>
  void expect(bool accumulate, const Product& product) {
    for (std::size_t r = 0; r < rows; ++r)
      for (std::size_t j = 0; j < columns; ++j) {
        if (accumulate) c[r * ld + j] = static_cast<T>(r + j);
        want[r * ld + j] = (accumulate ? static_cast<T>(r + j) : T{0}) + product(r, j);
      }
  }
};

template <class T>
void check_gemm_panel(const kernel_table<T>& k, std::size_t rows, std::size_t columns, std::size_t depth,
                      bool accumulate, bool flipped) {
  const std::size_t lda = depth + 3, ldb = k.panel + 5;
  const std::vector<T> a = random_integers<T>(rows * lda, rows), b = random_integers<T>(depth * ldb, depth);
  panel_sums<T> sums(k.panel + 2, rows, columns);
  sums.expect(accumulate, [&](std::size_t r, std::size_t j) {
    T sum = 0;
    for (std::size_t i = 0; i < depth; ++i) sum += a[(flipped ? rows - 1 - r : r) * lda + i] * b[i * ldb + j];
    return sum;
  });
  const auto stride = static_cast<std::ptrdiff_t>(lda);
  const T* const first = flipped && rows > 0 ? a.data() + (rows - 1) * lda : a.data();
  k.gemm_panel(first, flipped ? -stride : stride, b.data(), ldb, sums.c.data(), static_cast<std::ptrdiff_t>(sums.ld),
               rows, columns, depth, accumulate);
  INFO(rows << " rows, " << columns << " columns, depth " << depth << (accumulate ? ", accumulating" : "")
            << (flipped ? ", flipped" : ""));
  REQUIRE(same_columns(k, sums.c, sums.want, sums.ld, rows, columns));
}

/// Weights of `blocks` blocks of d from `words` codewords, the last block cut off by `cut` elements.
template <class T, class Code>
struct coded {
  std::size_t d, words, stride, code_stride, depth;
  std::vector<T> book;
  std::vector<Code> codes;

  coded(std::size_t rows, std::size_t blocks, std::size_t block_size, std::size_t word_count, std::size_t cut)
      : d(block_size),
        words(word_count),
        stride(d + 1),
        code_stride(rows + 3),
        depth(blocks * d - cut),
        book(random_integers<T>(words * stride, 4)),
        codes(random_codes<Code>(blocks * code_stride, words, d)) {}

  [[nodiscard]] T weight(std::size_t r, std::size_t i) const {
    return book[codes[i / d * code_stride + r] * stride + i % d];
  }
};

template <class T, class Code>
void check_code_panel(const kernel_table<T>& k, std::size_t rows, std::size_t columns, std::size_t blocks,
                      std::size_t d, bool accumulate) {
  const coded<T, Code> w(rows, blocks, d, 37, d / 2);
  const std::size_t ldb = k.panel;
  const std::vector<T> b = random_integers<T>(w.depth * ldb, 5);
  panel_sums<T> sums(k.panel + 1, rows, columns);
  sums.expect(accumulate, [&](std::size_t r, std::size_t j) {
    T sum = 0;
    for (std::size_t i = 0; i < w.depth; ++i) sum += w.weight(r, i) * b[i * ldb + j];
    return sum;
  });
  k.template on<Code>().code_panel(w.book.data(), w.stride, w.codes.data(), w.code_stride, b.data(), ldb, sums.c.data(),
                                   static_cast<std::ptrdiff_t>(sums.ld), rows, columns, w.depth, d, accumulate);
  INFO(rows << " rows, " << columns << " columns, " << blocks << " blocks of " << d);
  REQUIRE(same_columns(k, sums.c, sums.want, sums.ld, rows, columns));
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
  std::vector<T> y(columns * y_stride + 8, border<T>), want = y;
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

/// Lists of the codewords of each block: all, or every third but for one.
template <class Code>
struct listed_words {
  std::vector<Code> names;
  std::vector<bitpq::word_list> lists;
  std::size_t entries = 0;

  listed_words(std::size_t blocks, std::size_t words, bool all) {
    for (std::size_t j = 0; j < blocks; ++j) {
      const std::size_t first = names.size();
      for (std::size_t k = 0; k < words; ++k)
        if (all || k % 3 == j % 3 || k + 1 == words) names.push_back(static_cast<Code>(k));
      lists.push_back({static_cast<std::uint32_t>(first), static_cast<std::uint32_t>(names.size() - first)});
      names.resize(first + bitpq::round_up(lists.back().count, bitpq::word_list_group), names.back());
      entries = (std::max)(entries, names.size() - first);
    }
  }
};

/// One step builds the tables of `w` while it looks up in tables of other blocks; the next step looks up in them.
template <class T, class Code>
void check_lut(const kernel_table<T>& k, std::size_t rows, std::size_t columns, std::size_t blocks, std::size_t d,
               std::size_t words, bool all = true) {
  const coded<T, Code> w(rows, blocks, d, words, d / 2);
  const listed_words<Code> listed(blocks, words, all);
  std::vector<Code> entries(w.codes.size());  // of the codewords' tables: any of a block's list
  for (std::size_t i = 0; i < entries.size(); ++i)
    entries[i] = static_cast<Code>(w.codes[i] % listed.lists[i / w.code_stride].count);
  const auto weight = [&](std::size_t r, std::size_t i) {
    const std::size_t j = i / d;
    return w.book[listed.names[listed.lists[j].first + entries[j * w.code_stride + r]] * w.stride + i % d];
  };
  const std::size_t narrow = 2 * k.lanes, width = columns <= narrow && rows % 2 == 1 ? narrow : k.lut_width;
  const std::size_t ldx = width + 3, table = listed.entries * width;
  const std::vector<T> x = random_integers<T>(w.depth * ldx, 6), older = random_integers<T>(2 * table, 7);
  const std::vector<Code> older_codes = random_codes<Code>(2 * w.code_stride, listed.entries, words);
  panel_sums<T> sums(width + 1, rows, columns);
  sums.expect(false, [&](std::size_t r, std::size_t j) {
    T sum = 0;
    for (std::size_t t = 0; t < 2; ++t) sum += older[t * table + older_codes[t * w.code_stride + r] * width + j];
    for (std::size_t i = 0; i < w.depth; ++i) sum += weight(r, i) * x[i * ldx + j];
    return sum;
  });
  std::vector<T> tables(blocks * table + 32, border<T>);
  const auto step = [&](const bitpq::lut_look_up<T, Code>& from, std::size_t depth) {
    k.template on<Code>().lut_step({w.book.data(), w.stride, d, listed.entries, width, columns}, from,
                                   {x.data(), ldx, tables.data(), depth, listed.names.data(), listed.lists.data()});
  };
  step({older.data(), older_codes.data(), w.code_stride, sums.c.data(), sums.ld, rows, 2, false}, w.depth);
  step({tables.data(), entries.data(), w.code_stride, sums.c.data(), sums.ld, rows, blocks, true}, 0);
  INFO(rows << " rows, " << columns << " columns of " << width << ", " << blocks << " blocks of " << d << ", " << words
            << (all ? " codewords" : " codewords in parts"));
  REQUIRE(untouched(tables, blocks * table));
  REQUIRE(same_columns(k, sums.c, sums.want, sums.ld, rows, columns));
}

}  // namespace

TEMPLATE_TEST_CASE("gemm_panel multiplies any number of rows and columns and any depth", "", float, double) {
  for_each_isa<TestType>([](const kernel_table<TestType>& k) {
    CHECK(k.panel % k.lanes == 0);
    for (std::size_t rows = 0; rows <= 14; ++rows)
      for (const std::size_t depth : {0U, 1U, 2U, 3U, 7U, 16U, 33U})
        for (const bool accumulate : {false, true})
          check_gemm_panel(k, rows, k.panel, depth, accumulate, rows % 2 == 0);
    for (std::size_t columns = 1; columns <= k.panel; ++columns)
      for (const std::size_t rows : {7U, 17U}) check_gemm_panel(k, rows, columns, 5, true, false);
    check_gemm_panel(k, 13, k.panel, 700, true, false);
  });
}

TEMPLATE_TEST_CASE("code_panel multiplies with the codewords that codes name", "", float, double) {
  for_each_isa<TestType>([](const kernel_table<TestType>& k) {
    for (const std::size_t d : {1U, 2U, 3U, 4U, 8U, 9U, 18U, 33U})
      for (const std::size_t blocks : {1U, 2U, 5U})
        for (const std::size_t rows : {1U, 5U, 6U, 13U}) {
          check_code_panel<TestType, std::uint8_t>(k, rows, k.panel, blocks, d, blocks % 2 == 0);
          check_code_panel<TestType, std::uint16_t>(k, rows, k.panel, blocks, d, false);
        }
    for (std::size_t columns = 1; columns <= k.panel; ++columns)
      check_code_panel<TestType, std::uint8_t>(k, 7, columns, 2, 4, true);
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

TEMPLATE_TEST_CASE("lut_step looks up in some tables while it builds others", "", float, double) {
  for_each_isa<TestType>([](const kernel_table<TestType>& k) {
    CHECK((k.lut_width == 2 * k.lanes || k.lut_width == 4 * k.lanes));
    for (const std::size_t words : {1U, 4U, 17U, 256U})
      for (const std::size_t d : {1U, 3U, 8U, 9U})
        for (const std::size_t blocks : {1U, 2U, 8U})
          for (const std::size_t rows : {1U, 2U, 4U, 7U, 33U}) {
            check_lut<TestType, std::uint8_t>(k, rows, k.lut_width, blocks, d, words);
            check_lut<TestType, std::uint16_t>(k, rows, k.lanes, blocks, d, words, words == 17);
          }
    for (std::size_t columns = 1; columns <= k.lut_width; ++columns) {
      check_lut<TestType, std::uint8_t>(k, 9, columns, 3, 4, 30);
      check_lut<TestType, std::uint8_t>(k, 40, columns, 4, 5, 70, false);
    }
    check_lut<TestType, std::uint16_t>(k, 6, k.lut_width, 3, 18, 1000);
    check_lut<TestType, std::uint8_t>(k, 700, k.lut_width, 3, 4, 16);
  });
}
