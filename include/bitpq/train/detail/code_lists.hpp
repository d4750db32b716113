// SPDX-License-Identifier: Apache-2.0
#pragma once

// Which rows name which codeword, for every block position: the order in which rows that share a gradient are added.

#include <bitpq/codec/pq_matrix.hpp>
#include <bitpq/core/executor.hpp>

#include <algorithm>
#include <array>
#include <vector>

namespace bitpq {
inline namespace v1 {
namespace detail {

/// The rows of a group, code by code: those of code codes[i], i < count, are rows[ends[i - 1]] .. rows[ends[i]] in
/// ascending order, counted within the group. Codes of as many rows follow each other, for loops over rows then have a
/// length that processors foresee.
struct code_list {
  const std::uint32_t* rows;
  const std::uint32_t* ends;
  const std::uint16_t* codes;
  std::size_t count;
};

/// The lists of all groups, stages and block positions. Memory: four bytes per code, and six for each codeword that a
/// list can name.
class code_lists {
 public:
  /// O(codes + lists K).
  template <scalar T>
  code_lists(const pq_matrix<T>& w, std::size_t groups, executor_ref exec)
      : rows_each_(w.rows() / groups),
        row_codes_(w.format().row_codes()),
        most_((std::min)(rows_each_, w.format().codewords)),
        rows_(groups * row_codes_ * rows_each_),
        ends_(groups * row_codes_ * most_),
        codes_(ends_.size()),
        counts_(groups * row_codes_) {
    constexpr std::size_t run = 8;  // lists of a task
    const std::size_t codewords = w.format().codewords;
    const std::size_t each = codewords + rows_each_;
    std::vector<std::uint32_t> scratch(exec.concurrency() * each);
    exec.bulk(ceil_div(counts_.size(), run), [&](std::size_t worker, std::size_t task) {
      for (std::size_t list = task * run; list < (std::min)(counts_.size(), (task + 1) * run); ++list)
        sort(w, list, scratch.data() + worker * each);
    });
  }

  /// `position` is that of stage and block, see code_format.
  [[nodiscard]] code_list operator()(std::size_t group, std::size_t position) const noexcept {
    const std::size_t list = group * row_codes_ + position;
    return {rows_.data() + list * rows_each_, ends_.data() + list * most_, codes_.data() + list * most_, counts_[list]};
  }

 private:
  /// Sorts by counting: codes by how many rows name them, then rows by code. `scratch`: a number for each codeword and
  /// row.
  template <scalar T>
  void sort(const pq_matrix<T>& w, std::size_t list, std::uint32_t* scratch) noexcept {
    constexpr std::uint32_t popular = 16;  // from here on the order does not matter
    const std::size_t first = list / row_codes_ * rows_each_, position = list % row_codes_;
    const std::size_t codewords = w.format().codewords;
    std::uint32_t* const ends = ends_.data() + list * most_;
    std::uint16_t* const codes = codes_.data() + list * most_;
    std::uint32_t *const uses = scratch, *const code = scratch + codewords;
    std::fill_n(uses, codewords, 0U);
    for (std::size_t r = 0; r < rows_each_; ++r) {
      code[r] = w.codes()[(first + r) * row_codes_ + position];
      ++uses[code[r]];
    }
    std::array<std::size_t, popular + 2> begins{};
    for (std::size_t k = 0; k < codewords; ++k) ++begins[(std::min)(uses[k], popular) + 1];
    const std::size_t unused = begins[1];
    for (std::size_t u = 1; u < begins.size(); ++u) begins[u] += begins[u - 1];
    for (std::size_t k = 0; k < codewords; ++k)
      if (uses[k] > 0) codes[begins[(std::min)(uses[k], popular)]++ - unused] = static_cast<std::uint16_t>(k);
    counts_[list] = codewords - unused;
    std::uint32_t end = 0;
    for (std::size_t i = 0; i < counts_[list]; ++i) {
      ends[i] = end + uses[codes[i]];
      uses[codes[i]] = end;  // where its next row goes
      end = ends[i];
    }
    for (std::size_t r = 0; r < rows_each_; ++r)
      rows_[list * rows_each_ + uses[code[r]]++] = static_cast<std::uint32_t>(r);
  }

  std::size_t rows_each_, row_codes_, most_;
  std::vector<std::uint32_t> rows_, ends_;
  std::vector<std::uint16_t> codes_;
  std::vector<std::size_t> counts_;
};

}  // namespace detail
}  // namespace v1
}  // namespace bitpq
