// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the 8-bit path reads of compressed weights, beside their codes: the codewords rounded to 8 bits, and what bytes
// do not hold of them.

#include <bitpq/core/aligned_buffer.hpp>
#include <bitpq/gemm/detail/depth_runs.hpp>
#include <bitpq/gemm/detail/int8_rounding.hpp>
#include <bitpq/kernel/table.hpp>

namespace bitpq {
inline namespace v1 {
namespace detail {

/// Elements are whole multiples of one unit. A single codebook that is stored in 8 bits lends its own and is not
/// rounded again. Where words hold bytes, an element beyond -127 to 127 is cut off there, and rows that read it have
/// the rest of it in words of their own: few, see int8_unit.
class int8_book {
 public:
  int8_book() = default;

  /// O(rows x cols x stages). `w` is not empty and has at most max_int8_cols columns in all stages.
  int8_book(const pq_matrix<float>& w, const int8_kernels& kernels)
      : layout_(kernels.group, w.format().block_size), largest_(kernels.group == 4 ? 127 : 32767) {
    const code_format& format = w.format();
    const std::size_t d = format.block_size, count = format.books() * format.codewords;
    const bool own = w.book().scales().size() == 1;
    const codeword_reach reach = own ? codeword_reach() : reach_of(w);
    scale_ = own ? w.book().scales()[0] : int8_unit(reach, format.cols * format.stages);
    const float most = own ? 0 : *std::max_element(reach.largest.begin(), reach.largest.end());
    std::vector<std::int32_t> elements(count * d);
    for (std::size_t i = 0; i < count; ++i) {
      const auto of_codeword = std::span(elements).subspan(i * d, d);
      round_codeword(w.book().values().subspan(i * d, d), scale_,
                     own ? 127 : static_cast<std::int32_t>(scale_ > 0 ? std::nearbyint(most / scale_) : 0),
                     of_codeword);
    }
    pack(elements);
    read_rows(w, elements);
  }

  [[nodiscard]] bool empty() const noexcept { return words_.empty(); }
  /// The unit of the elements.
  [[nodiscard]] float scale() const noexcept { return scale_; }
  /// The words of codebook b, one codeword after the other.
  [[nodiscard]] const std::uint32_t* words(std::size_t b, std::size_t codewords) const noexcept {
    return words_.data() + b * codewords * layout_.of_codeword();
  }
  /// What the elements of each row add up to.
  [[nodiscard]] const std::int32_t* sums() const noexcept { return sums_.data(); }
  /// The words that rows [row, row + rows) have of their own in the run of blocks that begins at column k0.
  [[nodiscard]] std::span<const int8_word> extra(std::size_t k0, std::size_t row, std::size_t rows) const noexcept {
    const auto run = std::lower_bound(runs_.begin(), runs_.end(), k0,
                                      [](const run_of_words& at, std::size_t column) { return at.column < column; });
    if (run == runs_.end() || run->column != k0) return {};
    const auto of_row = [&](std::size_t r) {
      return std::lower_bound(extra_.data() + run->first, extra_.data() + run->end, r,
                              [](const int8_word& word, std::size_t at) { return word.row < at; });
    };
    return {of_row(row), of_row(row + rows)};
  }
  [[nodiscard]] std::size_t bytes() const noexcept {
    return (words_.size() + sums_.size()) * 4 + extra_.size() * sizeof(int8_word) + runs_.size() * sizeof(run_of_words);
  }

  /// Blocks of a run: the packed panel is to stay in the first-level cache.
  static std::size_t blocks_each(const code_format& format) noexcept { return blocks_of(format, 288); }

 private:
  struct run_of_words {
    std::size_t column, first, end;
  };

  [[nodiscard]] std::uint32_t bits_of(std::int32_t element, std::size_t at) const noexcept {
    const std::size_t bits = 32 / layout_.group;
    return (static_cast<std::uint32_t>(element) & ((1U << bits) - 1)) << (at * bits);
  }
  [[nodiscard]] std::int32_t held(std::int32_t element) const noexcept {
    return std::clamp(element, -largest_, largest_);
  }

  void pack(const std::vector<std::int32_t>& elements) {
    const std::size_t d = layout_.d;
    words_ = aligned_buffer<std::uint32_t>(elements.size() / d * layout_.of_codeword());
    for (std::size_t i = 0; i < elements.size(); ++i)
      words_[i / d * layout_.of_codeword() + i % d / layout_.group] |=
          bits_of(held(elements[i]), i % d % layout_.group);
  }

  /// Adds up the rows, and collects their own words run by run.
  void read_rows(const pq_matrix<float>& w, const std::vector<std::int32_t>& elements) {
    const code_format& format = w.format();
    const std::size_t d = format.block_size;
    std::vector<bool> beyond(elements.size() / d);
    for (std::size_t i = 0; i < elements.size(); ++i)
      if (held(elements[i]) != elements[i]) beyond[i / d] = true;
    sums_ = aligned_buffer<std::int32_t>(format.rows);
    std::vector<std::uint16_t> codes(format.codes());
    w.codes().unpack(0, std::span<std::uint16_t>(codes));
    for (std::size_t k0 = 0; k0 < format.cols;) {
      const std::size_t k1 = end_of_run(format, k0, blocks_each(format)), before = extra_.size();
      for (std::size_t r = 0; r < format.rows; ++r)
        for (std::size_t stage = 0; stage < format.stages; ++stage)
          for (std::size_t j = k0 / d; j * d < k1; ++j) {
            const std::size_t word =
                format.book_of(stage, j) * format.codewords + codes[r * format.row_codes() + format.position(stage, j)];
            const std::int32_t* const block = elements.data() + word * d;
            for (std::size_t i = 0; i < format.width_of(j); ++i) sums_[r] += block[i];
            if (beyond[word]) add_rest({block, format.width_of(j)}, r, j - k0 / d, ceil_div(k1 - k0, d));
          }
      if (extra_.size() > before) runs_.push_back({k0, before, extra_.size()});
      k0 = k1;
    }
  }

  /// What words do not hold of a block, as block j of `blocks` of row r.
  void add_rest(std::span<const std::int32_t> block, std::size_t r, std::size_t j, std::size_t blocks) {
    std::vector<std::int32_t> rest(block.begin(), block.end());
    for (std::int32_t& element : rest) element -= held(element);
    for (std::size_t i = 0; i < rest.size();) {
      const std::size_t at = layout_.of(j, i, blocks).word;
      std::uint32_t word = 0;
      std::size_t end = i;
      for (; end < rest.size() && layout_.of(j, end, blocks).word == at; ++end) {
        const std::int32_t part = held(rest[end]);
        word |= bits_of(part, layout_.of(j, end, blocks).element);
        rest[end] -= part;
      }
      if (word == 0)
        i = end;
      else  // and once more, for what is still left
        extra_.push_back({static_cast<std::uint32_t>(r), static_cast<std::uint32_t>(at), word});
    }
  }

  word_layout layout_{1, 1};
  std::int32_t largest_ = 0;
  float scale_ = 0;
  aligned_buffer<std::uint32_t> words_;
  aligned_buffer<std::int32_t> sums_;
  std::vector<int8_word> extra_;
  std::vector<run_of_words> runs_;
};

}  // namespace detail
}  // namespace v1
}  // namespace bitpq
