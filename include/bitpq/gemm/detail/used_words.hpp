// SPDX-License-Identifier: Apache-2.0
#pragma once

// Which codewords the rows of a matrix name at a block position: only these need an entry in the position's table. Few
// rows leave many out: 256 of them that name 256 codewords at random leave out a third.

#include <bitpq/codec/code_format.hpp>
#include <bitpq/core/aligned_buffer.hpp>
#include <bitpq/kernel/arguments.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

namespace bitpq {
inline namespace v1 {
namespace detail {

/// Columns of a task, about, which turns the codes of a block position into entries once: the fewer the more rows there
/// are.
inline double naming_columns(double rows) noexcept { return std::clamp(65536 / rows, 32.0, 128.0); }

/// Whether lists of `words` codewords on average are worth their memory and the naming of entries: where names take a
/// byte, a codeword takes a few multiply-adds, an eighth of what rows could name is left out, and more multiply-adds
/// of a vector are left out with it than naming, of 1.5 cycles per code and word, takes for 16 columns.
inline bool lists_pay(const code_format& format, double words) noexcept {
  const double left_out = (static_cast<double>(format.codewords) - words) * static_cast<double>(format.block_size);
  const double rows = static_cast<double>(format.rows);
  return format.codewords <= 256 && format.block_size >= 4 && format.stages <= 4 &&
         words * 8 <= 7 * static_cast<double>((std::min)(format.codewords, format.rows)) &&
         left_out * naming_columns(rows) >= 16 * 1.5 * (rows + words);
}

/// used_words::mean of codes drawn at random.
inline double expected_words(const code_format& format) noexcept {
  const double codewords = static_cast<double>(format.codewords);
  const double words = codewords * (1 - std::pow(1 - 1 / codewords, static_cast<double>(format.rows)));
  return lists_pay(format, words) ? words : codewords;
}

/// A list of codewords for each position of a matrix, ascending; positions share one list of all codewords where own
/// ones do not pay.
template <class Code>
class used_words {
 public:
  used_words() = default;

  /// Of codes as kernels read them, [position][row]. O(codes + positions x codewords).
  used_words(const code_format& format, const Code* codes, std::size_t code_stride) {
    const std::size_t positions = format.row_codes();
    // Of an empty matrix there is none; of too many positions, 32 bits would not count the names.
    const bool possible = sizeof(Code) == 1 && positions > 0 && positions <= (std::size_t{1} << 24);
    std::vector<Code> words;
    std::vector<bool> named;
    lists_.reserve(positions);
    std::size_t used = 0;
    for (std::size_t p = 0; p < positions && possible; ++p) {
      named.assign(format.codewords, false);
      for (std::size_t r = 0; r < format.rows; ++r) named[codes[p * code_stride + r]] = true;
      used += append(words, named);
    }
    if (possible) mean_ = static_cast<double>(used) / static_cast<double>(positions);
    shared_ = !possible || !lists_pay(format, mean_);
    if (shared_) {
      words.clear();
      lists_.clear();
      entries_ = 0;
      named.assign(format.codewords, true);
      append(words, named);
      lists_.resize(positions, lists_.front());
      mean_ = static_cast<double>(format.codewords);
    }
    words_ = aligned_buffer<Code>(std::span<const Code>(words));
  }

  [[nodiscard]] const Code* words() const noexcept { return words_.data(); }
  /// Of position p onwards.
  [[nodiscard]] const word_list* lists(std::size_t p) const noexcept { return lists_.data() + p; }
  /// Whether all positions share the list of all codewords, in which an entry's number is its code.
  [[nodiscard]] bool shared() const noexcept { return shared_; }
  /// Entries of a table that holds any of the lists.
  [[nodiscard]] std::size_t entries() const noexcept { return entries_; }
  /// The entry of each codeword that position p uses.
  [[nodiscard]] std::array<Code, 256> entries_of(std::size_t p) const noexcept {
    std::array<Code, 256> entry_of{};
    for (std::size_t i = 0; i < lists_[p].count; ++i) entry_of[words_[lists_[p].first + i]] = static_cast<Code>(i);
    return entry_of;
  }
  /// Codewords of a list, on average.
  [[nodiscard]] double mean() const noexcept { return mean_; }
  [[nodiscard]] std::size_t bytes() const noexcept {
    return words_.size() * sizeof(Code) + lists_.size() * sizeof(word_list);
  }

 private:
  /// Appends the list of those that are named, and says how many they are.
  std::size_t append(std::vector<Code>& words, const std::vector<bool>& named) {
    const std::size_t first = words.size();
    for (std::size_t k = 0; k < named.size(); ++k)
      if (named[k]) words.push_back(static_cast<Code>(k));
    const std::size_t count = words.size() - first;
    lists_.push_back({static_cast<std::uint32_t>(first), static_cast<std::uint32_t>(count)});
    while ((words.size() - first) % word_list_group != 0) words.push_back(words.back());
    entries_ = (std::max)(entries_, words.size() - first);
    return count;
  }

  aligned_buffer<Code> words_;
  std::vector<word_list> lists_;
  std::size_t entries_ = 0;
  bool shared_ = true;
  double mean_ = 0;
};

}  // namespace detail
}  // namespace v1
}  // namespace bitpq
