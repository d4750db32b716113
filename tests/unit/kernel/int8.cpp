// SPDX-License-Identifier: Apache-2.0

// The 8-bit kernels of every instruction set against plain loops: equal, not close.

#include "support/kernels.hpp"
#include "support/random_data.hpp"

#include <bitpq/kernel/int8_layout.hpp>

#include <algorithm>

#include <cmath>
#include <limits>

using bitpq::copy_run;
using bitpq::int8_kernels;
using bitpq::int8_word;
using bitpq::kernel_table;
using bitpq::word_layout;
using namespace bitpq_test;

namespace {

std::vector<std::int8_t> random_bytes(std::size_t n, std::uint64_t seed) {
  const std::vector<std::int32_t> values = random_codes<std::int32_t>(n, 255, seed);
  std::vector<std::int8_t> bytes;
  for (const std::int32_t v : values) bytes.push_back(static_cast<std::int8_t>(v - 127));
  return bytes;
}

std::vector<std::uint8_t> random_activations(std::size_t n, std::uint64_t seed) {
  const std::vector<std::int32_t> values = random_codes<std::int32_t>(n, 256, seed);
  return {values.begin(), values.end()};
}

/// Codewords of d bytes as the kernels read them.
std::vector<std::uint32_t> words_of(const int8_kernels& k, const std::vector<std::int8_t>& book, std::size_t d) {
  const std::size_t bits = 32 / k.group, stride = word_layout(k.group, d).of_codeword();
  std::vector<std::uint32_t> words(book.size() / d * stride);
  for (std::size_t i = 0; i < book.size(); ++i)
    words[i / d * stride + i % d / k.group] |= (static_cast<std::uint32_t>(book[i]) & ((1U << bits) - 1))
                                               << (i % d % k.group * bits);
  return words;
}

/// Packs and multiplies; the last block is cut off by `cut` elements.
template <class Code>
void check_product(const kernel_table<float>& table, std::size_t rows, std::size_t columns, std::size_t blocks,
                   std::size_t d, std::size_t cut, bool accumulate) {
  INFO(rows << " rows, " << columns << " columns, " << blocks << " blocks of " << d << " less " << cut);
  const int8_kernels& k = table.int8;
  const std::size_t words = 37, depth = blocks * d - cut, ld = table.panel, code_stride = rows + 3;
  const std::vector<std::int8_t> book = random_bytes(words * d, d);
  const std::vector<std::uint8_t> x = random_activations(depth * ld, rows + depth);
  const std::vector<Code> codes = random_codes<Code>(blocks * code_stride, words, d);
  const std::vector<std::uint32_t> left = words_of(k, book, d);
  std::vector<std::uint32_t> right(word_layout(k.group, d).of_column(blocks) * ld);
  k.pack(x.data(), ld, depth, d, columns, right.data(), ld);
  std::vector<std::int32_t> sums(rows * ld, 5);
  k.panel(bitpq::int8_product<Code>{left.data(), codes.data(), code_stride, right.data(), ld, sums.data(), ld, rows,
                                    columns, blocks, d, accumulate});
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t c = 0; c < columns; ++c) {
      std::int32_t want = accumulate ? 5 : 0;
      for (std::size_t i = 0; i < blocks * d; ++i) {
        const std::int32_t weight = book[codes[i / d * code_stride + r] * d + i % d];
        if (i < depth) want += weight * (x[i * ld + c] - k.subtrahend);
      }
      REQUIRE(sums[r * ld + c] == want);
    }
}

constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();
constexpr float infinity = std::numeric_limits<float>::infinity();

}  // namespace

TEST_CASE("8-bit products are exact for any block size, rows and columns") {
  for_each_isa<float>([](const kernel_table<float>& k) {
    for (std::size_t d = 1; d <= 37; ++d)
      for (const std::size_t blocks : {1U, 2U, 3U, 4U, 5U, 9U})
        for (const std::size_t rows : {1U, 6U, 13U}) {
          check_product<std::uint8_t>(k, rows, k.panel, blocks, d, d / 2, blocks % 2 == 0);
          check_product<std::uint16_t>(k, rows, 1, blocks, d, 0, false);
        }
    for (std::size_t columns = 1; columns <= k.panel; ++columns)
      check_product<std::uint8_t>(k, 7, columns, 6, 9, 0, true);
    for (std::size_t rows = 1; rows <= 20; ++rows) check_product<std::uint8_t>(k, rows, k.panel, 5, 18, 17, true);
  });
}

TEST_CASE("words that rows have of their own are added to their sums") {
  for_each_isa<float>([](const kernel_table<float>& k) {
    const std::size_t rows = 9, depth = 12, ld = k.panel;
    const std::vector<std::uint8_t> x = random_activations(depth * ld, 1);
    std::vector<std::uint32_t> right(depth / k.int8.group * ld);
    k.int8.pack(x.data(), ld, depth, depth, ld, right.data(), ld);
    const std::vector<std::int8_t> weights = random_bytes(5 * k.int8.group, 2);
    const std::vector<std::uint32_t> words = words_of(k.int8, weights, k.int8.group);
    const int8_word extra[] = {
        {21, 2, words[0]}, {23, 0, words[1]}, {23, 0, words[2]}, {23, 1, words[3]}, {28, 2, words[4]}};
    for (std::size_t columns = 1; columns <= k.panel; ++columns) {
      std::vector<std::int32_t> sums(rows * ld, 5);
      k.int8.sparse({extra, 5, 20, right.data(), ld, sums.data(), ld, columns});
      for (std::size_t r = 0; r < rows; ++r)
        for (std::size_t c = 0; c < columns; ++c) {
          std::int32_t want = 5;
          for (std::size_t e = 0; e < 5; ++e)
            for (std::size_t i = 0; extra[e].row == 20 + r && i < k.int8.group; ++i)
              want +=
                  weights[e * k.int8.group + i] * (x[(extra[e].at * k.int8.group + i) * ld + c] - k.int8.subtrahend);
          REQUIRE(sums[r * ld + c] == want);
        }
    }
  });
}

TEST_CASE("an element of a block lies where packing puts it") {
  for (const std::size_t group : {2U, 4U})
    for (std::size_t d = 1; d <= 20; ++d)
      for (std::size_t blocks = 1; blocks <= 9; ++blocks) {
        const word_layout layout(group, d);
        std::vector<int> taken(layout.of_column(blocks) * group);
        for (std::size_t j = 0; j < blocks; ++j)
          for (std::size_t i = 0; i < d; ++i) {
            const word_layout::place at = layout.of(j, i, blocks);
            REQUIRE(at.word < layout.of_column(blocks));
            REQUIRE(++taken[at.word * group + at.element] == 1);
          }
      }
  // Four blocks of 9: two words each, and one that they share; then what is left of a fifth.
  const word_layout shared(4, 9);
  CHECK((shared.of(1, 0, 5).word == 2 && shared.of(1, 8, 5).word == 8 && shared.of(1, 8, 5).element == 1));
  CHECK((shared.of(4, 7, 5).word == 10 && shared.of(4, 8, 5).word == 11 && shared.of(4, 8, 5).element == 0));
}

TEST_CASE("the range of elements is found wherever they lie") {
  for_each_isa<float>([](const kernel_table<float>& k) {
    for (std::size_t n = 1; n <= 70; ++n)
      for (const std::ptrdiff_t step : {1, 2, -1}) {
        const std::size_t size = n * 2;
        const std::vector<float> quiet = random_values<float>(size, n);
        const std::size_t origin = step < 0 ? n - 1 : 0;
        for (const float extreme : {3.0F, -3.0F, infinity, -infinity, not_a_number}) {
          std::vector<float> x = quiet;
          const auto at = static_cast<std::size_t>(static_cast<std::ptrdiff_t>(origin) +
                                                   step * static_cast<std::ptrdiff_t>(n * 7 / 9));
          x[at] = extreme;
          const bitpq::int8_range range = k.int8.range(x.data() + origin, step, n, {-2.0F, 1.5F});
          if (std::isfinite(extreme))
            REQUIRE((range.low == std::min(extreme, -2.0F) && range.high == std::max(extreme, 1.5F)));
          else
            REQUIRE((std::isnan(range.low) && std::isnan(range.high)));
          std::vector<float> lows(n, -0.25F), highs(n, 0.5F);
          k.int8.column_ranges(x.data(), static_cast<std::ptrdiff_t>(n), 2, n, lows.data(), highs.data());
          for (std::size_t c = 0; c < n; ++c) {
            const float a = x[c], b = x[n + c];
            if (std::isfinite(a) && std::isfinite(b))
              REQUIRE((lows[c] == std::min({-0.25F, a, b}) && highs[c] == std::max({0.5F, a, b})));
            else
              REQUIRE((std::isnan(lows[c]) && std::isnan(highs[c])));
          }
        }
        const bitpq::int8_range range = k.int8.range(quiet.data() + origin, step, n, {-2.0F, 2.0F});
        REQUIRE((range.low == -2.0F && range.high == 2.0F));
      }
  });
}

TEST_CASE("activations are rounded to even and leave their neighbours alone") {
  const float inverses[] = {1.0F, 2.0F};
  const std::int32_t zeros[] = {64, 128};
  for_each_isa<float>([&](const kernel_table<float>& k) {
    for (std::size_t n = 1; n <= 70; ++n)
      for (const std::ptrdiff_t step : {1, 2, 3}) {
        std::vector<float> x(3 * n);
        for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i % 253) / 2 - 63.25F;
        x[0] = not_a_number;
        std::vector<std::uint8_t> to(2 * n + 2, 99);
        const copy_run runs[] = {{0, 0, n, 0}, {0, n + 1, n, 1}};
        k.int8.quantize_runs(x.data(), step, runs, 2, {inverses, zeros}, to.data());
        for (std::size_t i = 1; i < n; ++i) {
          REQUIRE(to[i] == 64 + std::nearbyint(x[i * static_cast<std::size_t>(step)]));
          REQUIRE(to[n + 1 + i] == 128 + std::nearbyint(2 * x[i * static_cast<std::size_t>(step)]));
        }
        REQUIRE((to[n] == 99 && to[2 * n + 1] == 99));
        const std::vector<float> each = random_values<float>(n, n);
        const std::vector<std::int32_t> zero_of = random_codes<std::int32_t>(n, 120, n);
        std::vector<std::int32_t> shifted(zero_of);
        for (std::int32_t& zero : shifted) zero += 64;
        std::vector<std::uint8_t> rows(2 * (n + 1), 99);
        k.int8.quantize_rows(x.data() + 1, static_cast<std::ptrdiff_t>(n), {each.data(), shifted.data()}, rows.data(),
                             n + 1, 2, n);
        for (std::size_t i = 0; i < 2 * n; ++i)
          REQUIRE(rows[i / n * (n + 1) + i % n] ==
                  static_cast<float>(shifted[i % n]) + std::nearbyint(x[1 + i] * each[i % n]));
        REQUIRE((rows[n] == 99 && rows[2 * n + 1] == 99));
      }
  });
}

TEST_CASE("runs of bytes are copied, and sums turned into floats") {
  for_each_isa<float>([](const kernel_table<float>& k) {
    const std::vector<std::uint8_t> from = random_activations(400, 1);
    const copy_run runs[] = {{3, 0, 5}, {100, 5, 40}, {7, 45, 70}};
    const std::size_t offsets[] = {0, 17};
    std::vector<std::uint8_t> to(2 * 120 + bitpq::copy_slack);
    k.int8.copy_runs(from.data(), offsets, 2, runs, 3, to.data(), 120);
    for (std::size_t row = 0; row < 2; ++row)
      for (const copy_run& run : runs)
        for (std::size_t i = 0; i < run.length; ++i)
          REQUIRE(to[row * 120 + run.to + i] == from[offsets[row] + static_cast<std::size_t>(run.from) + i]);

    const std::size_t rows = 3, ld = 2 * k.lanes;
    const std::vector<std::int32_t> sums = random_codes<std::int32_t>(rows * ld, 1U << 30, 2);
    const std::vector<float> scales = random_values<float>(ld, 3);
    const std::int32_t weights[] = {5, -700, 1 << 22};
    const std::vector<std::int32_t> zeros = random_codes<std::int32_t>(ld, 256, 4);
    std::vector<float> y(rows * ld);
    k.int8.dequantize(sums.data(), ld, rows, ld, weights, zeros.data(), scales.data(), y.data());
    for (std::size_t i = 0; i < y.size(); ++i) {
      const std::int32_t sum = sums[i] - (zeros[i % ld] - k.int8.subtrahend) * weights[i / ld];
      REQUIRE(y[i] == static_cast<float>(sum) * scales[i % ld]);
    }
  });
}
