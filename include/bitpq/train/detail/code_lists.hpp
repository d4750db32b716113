// SPDX-License-Identifier: Apache-2.0
#pragma once

// Which rows name which codeword, for every block position: the order in which rows that share a gradient are added.

#include <bitpq/codec/pq_matrix.hpp>
#include <bitpq/core/executor.hpp>

#include <algorithm>
#include <vector>

namespace bitpq {
inline namespace v1 {
namespace detail {

/// The rows of a group in the order of their codes, and of equals in their own: those of code codes[i], i < count, are
/// rows[ends[i - 1]] .. rows[ends[i]], counted within the group.
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
    std::vector<std::uint32_t> ends(exec.concurrency() * (codewords + 1));
    exec.bulk(ceil_div(counts_.size(), run), [&](std::size_t worker, std::size_t task) {
      for (std::size_t list = task * run; list < (std::min)(counts_.size(), (task + 1) * run); ++list)
        sort(w, list, ends.data() + worker * (codewords + 1));
    });
  }

  /// `position` is that of stage and block, see code_format.
  [[nodiscard]] code_list operator()(std::size_t group, std::size_t position) const noexcept {
    const std::size_t list = group * row_codes_ + position;
    return {rows_.data() + list * rows_each_, ends_.data() + list * most_, codes_.data() + list * most_, counts_[list]};
  }

 private:
  /// Sorts by counting.
  template <scalar T>
  void sort(const pq_matrix<T>& w, std::size_t list, std::uint32_t* begins) noexcept {
    const std::size_t first = list / row_codes_ * rows_each_, position = list % row_codes_;
    const std::size_t codewords = w.format().codewords;
    std::uint32_t* const rows = rows_.data() + list * rows_each_;
    std::fill_n(begins, codewords + 1, 0U);
    for (std::size_t r = 0; r < rows_each_; ++r)
      ++begins[std::size_t{w.codes()[(first + r) * row_codes_ + position]} + 1];
    std::size_t count = 0;
    for (std::size_t k = 0; k < codewords; ++k) {
      if (begins[k + 1] > 0) {
        codes_[list * most_ + count] = static_cast<std::uint16_t>(k);
        ends_[list * most_ + count++] = begins[k] + begins[k + 1];
      }
      begins[k + 1] += begins[k];
    }
    counts_[list] = count;
    for (std::size_t r = 0; r < rows_each_; ++r)
      rows[begins[w.codes()[(first + r) * row_codes_ + position]]++] = static_cast<std::uint32_t>(r);
  }

  std::size_t rows_each_, row_codes_, most_;
  std::vector<std::uint32_t> rows_, ends_;
  std::vector<std::uint16_t> codes_;
  std::vector<std::size_t> counts_;
};

}  // namespace detail
}  // namespace v1
}  // namespace bitpq
