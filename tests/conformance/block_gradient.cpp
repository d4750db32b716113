// SPDX-License-Identifier: Apache-2.0

// The kernel of codeword gradients on every instruction set, on whole numbers, so that sums in any order are exact.

#include "support/kernels.hpp"
#include "support/random_data.hpp"

#include <bitpq/core/aligned_buffer.hpp>

#include <vector>

using bitpq::kernel_table;

namespace {

/// `count` codes of 3 * count codewords, of which code i is named by 1 + i % 11 rows.
template <class T>
struct block {
  std::size_t count, width, n, d;
  std::vector<std::uint32_t> rows{}, ends{};
  std::vector<std::uint16_t> codes{};
  std::vector<T> y{}, x{};

  block(std::size_t code_count, std::size_t w, std::size_t columns, std::size_t block_size)
      : count(code_count), width(w), n(columns), d(block_size) {
    for (std::size_t i = 0; i < count; ++i) {
      for (std::size_t r = 0; r <= i % 11; ++r) rows.push_back(static_cast<std::uint32_t>(rows.size()));
      ends.push_back(static_cast<std::uint32_t>(rows.size()));
      codes.push_back(static_cast<std::uint16_t>(3 * i + 1));
    }
    for (std::size_t i = 0; i < rows.size(); i += 2) std::swap(rows[i], rows[rows.size() - 1 - i]);
    y = bitpq_test::random_integers<T>(rows.size() * n, 1);
    x = bitpq_test::random_integers<T>(width * n, 2);
  }

  [[nodiscard]] std::vector<T> expected() const {
    std::vector<T> sums(3 * count * d, T{5});
    for (std::size_t i = 0; i < count; ++i)
      for (std::size_t r = i == 0 ? 0 : ends[i - 1]; r < ends[i]; ++r)
        for (std::size_t w = 0; w < width; ++w)
          for (std::size_t c = 0; c < n; ++c) sums[codes[i] * d + w] += y[rows[r] * n + c] * x[w * n + c];
    return sums;
  }

  [[nodiscard]] std::vector<T> computed(const kernel_table<T>& kernels, bool by_lane) const {
    const std::size_t lanes = by_lane ? kernels.lanes : 1;
    bitpq::aligned_buffer<T> sums(3 * count * d * lanes);
    for (std::size_t i = 0; i < sums.size(); i += lanes) sums[i] = T{5};
    kernels.add_block_gradient(
        {y.data(), n, rows.data(), ends.data(), codes.data(), count, x.data(), n, width, n, sums.data(), d, by_lane});
    std::vector<T> totals(3 * count * d);
    for (std::size_t i = 0; i < sums.size(); ++i) totals[i / lanes] += sums[i];
    return totals;
  }
};

}  // namespace

TEMPLATE_TEST_CASE("codeword gradients of one block position", "", float, double) {
  bitpq_test::for_each_isa<TestType>([](const kernel_table<TestType>& kernels) {
    for (const std::size_t d : {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 16, 18, 19, 36})
      for (const std::size_t count : {1, 2, 3, 4, 5, 13}) {
        const std::size_t width = count == 3 && d > 1 ? d - 1 : d;  // a tail
        const block<TestType> b(count, width, kernels.lanes * (1 + d % 7), d);
        INFO(count << " codes, width " << width << " of " << d);
        CHECK(b.computed(kernels, true) == b.expected());
        CHECK(b.computed(kernels, false) == b.expected());
      }
  });
}
