// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the 8-bit path reads of compressed weights, beside their codes: the codewords rounded to 8 bits.

#include <bitpq/codec/pq_matrix.hpp>
#include <bitpq/core/aligned_buffer.hpp>
#include <bitpq/kernel/int8_layout.hpp>
#include <bitpq/kernel/table.hpp>

#include <algorithm>
#include <vector>

namespace bitpq {
inline namespace v1 {
namespace detail {

/// Elements are whole multiples, -127 to 127, of one scale for the whole matrix: sums of codewords of different
/// codebooks and stages are then of one unit, and nothing is rounded before the end of a row. A single codebook that is
/// stored in 8 bits lends its own scale and is not rounded again.
class int8_book {
 public:
  int8_book() = default;

  /// O(codes). `w` is not empty and has at most max_int8_cols columns in all stages.
  int8_book(const pq_matrix<float>& w, const int8_kernels& kernels)
      : codeword_words_(word_layout(kernels.group, w.format().block_size).of_codeword()) {
    const code_format& format = w.format();
    const std::span<const float> values = w.book().values();
    float largest = 0;
    for (const float v : values) largest = (std::max)(largest, std::abs(v));
    scale_ = w.book().scales().size() == 1 ? w.book().scales()[0] : largest / 127;
    const std::size_t words = format.books() * format.codewords, d = format.block_size;
    words_ = aligned_buffer<std::uint32_t>(words * codeword_words_);
    std::vector<std::int32_t> sums(words);
    const std::size_t bits = 32 / kernels.group;
    for (std::size_t i = 0; i < words * d; ++i) {
      const auto q = static_cast<std::int32_t>(std::nearbyint(scale_ > 0 ? values[i] / scale_ : 0.0F));
      const std::size_t word = i / d, at = i % d;
      words_[word * codeword_words_ + at / kernels.group] |= (static_cast<std::uint32_t>(q) & ((1U << bits) - 1))
                                                             << (at % kernels.group * bits);
      sums[word] += q;
    }
    offsets_ = aligned_buffer<std::int32_t>(format.rows);
    if (kernels.zero_point == 0) return;
    std::vector<std::uint16_t> row(format.row_codes());
    for (std::size_t r = 0; r < format.rows; ++r) {
      w.codes().unpack(r * row.size(), std::span<std::uint16_t>(row));
      std::int64_t sum = 0;
      for (std::size_t stage = 0, p = 0; stage < format.stages; ++stage)
        for (std::size_t j = 0; j < format.blocks(); ++j, ++p)
          sum += sums[format.book_of(stage, j) * format.codewords + row[p]];
      offsets_[r] = static_cast<std::int32_t>(static_cast<std::uint32_t>(sum * kernels.zero_point));
    }
  }

  [[nodiscard]] bool empty() const noexcept { return words_.empty(); }
  /// The unit of the elements.
  [[nodiscard]] float scale() const noexcept { return scale_; }
  /// The words of codebook b, one codeword after the other.
  [[nodiscard]] const std::uint32_t* words(std::size_t b, std::size_t codewords) const noexcept {
    return words_.data() + b * codewords * codeword_words_;
  }
  /// What the zero point of the activations adds to the sums of each row, modulo 2^32.
  [[nodiscard]] const std::int32_t* offsets() const noexcept { return offsets_.data(); }
  [[nodiscard]] std::size_t bytes() const noexcept { return (words_.size() + offsets_.size()) * 4; }

 private:
  std::size_t codeword_words_ = 0;
  float scale_ = 0;
  aligned_buffer<std::uint32_t> words_;
  aligned_buffer<std::int32_t> offsets_;
};

}  // namespace detail
}  // namespace v1
}  // namespace bitpq
