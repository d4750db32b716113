// SPDX-License-Identifier: Apache-2.0
#pragma once

// A compressed matrix in the order that kernels read: codes as whole bytes, [stage][block][row]; codewords at a stride
// of whole vectors, and in the forms that the kernels for few columns read. Made once when a model is loaded; still
// codes, never weights.

#include <bitpq/codec/pq_matrix.hpp>
#include <bitpq/core/aligned_buffer.hpp>
#include <bitpq/gemm/detail/int8_book.hpp>
#include <bitpq/gemm/detail/used_words.hpp>
#include <bitpq/gemm/path_costs.hpp>
#include <bitpq/gemm/precision.hpp>
#include <bitpq/kernel/dispatch.hpp>

#include <vector>

namespace bitpq {
inline namespace v1 {

/// Immutable but for what its plans compare; bound to the kernels it was made for. Memory: one byte per code up to 256
/// codewords, else two, two or three forms of the codebooks, and where few codewords are in use lists of these.
template <scalar T>
class prepacked_matrix {
 public:
  using value_type = T;

  prepacked_matrix() = default;

  /// O(codes + block positions x codewords), with precision::int8 O(rows x cols x stages). `kernels` defaults to the
  /// best this machine has; `allowed` is what the layer's plans may choose from. Throws bad_params where BITPQ_CORE is
  /// set and names no class of core.
  explicit prepacked_matrix(const pq_matrix<T>& w, const kernel_table<T>& kernels = bitpq::kernels<T>(),
                            precision allowed = precision::exact)
      : kernels_(&kernels), format_(w.format()), allowed_(allowed), costs_(path_costs_of(kernels.target, this_core())) {
    books_ = aligned_buffer<T>(w.book().values());
    scales_ = aligned_buffer<T>(w.scales().values());
    // A power of two between the codes of neighbouring blocks would put them all into one set of the cache.
    code_stride_ = round_up(format_.rows, buffer_alignment);
    if (code_stride_ % 512 == 0) code_stride_ += buffer_alignment;
    split_books(w);
    if (format_.codewords <= 256)
      pack(w, codes8_, used8_);
    else
      pack(w, codes16_, used16_);
    if constexpr (std::same_as<T, float>)
      if (allowed == precision::int8 && cols() > 0 && cols() * format_.stages <= max_int8_cols)
        int8_ = detail::int8_book(w, kernels.int8);
  }

  [[nodiscard]] std::size_t rows() const noexcept { return format_.rows; }
  [[nodiscard]] std::size_t cols() const noexcept { return format_.cols; }
  [[nodiscard]] const code_format& format() const noexcept { return format_; }
  [[nodiscard]] const kernel_table<T>& kernels() const noexcept { return *kernels_; }
  [[nodiscard]] precision allowed() const noexcept { return allowed_; }
  /// What its plans compare, and what decides how wide tables are; see calibrate.
  [[nodiscard]] const path_costs& costs() const noexcept { return costs_; }
  void set_costs(const path_costs& costs) noexcept { costs_ = costs; }
  [[nodiscard]] std::size_t code_stride() const noexcept { return code_stride_; }
  /// The factor of each row, or null where there are none: for the store, no other kernel applies them.
  [[nodiscard]] const T* scales() const noexcept { return scales_.data(); }
  /// Codebook b of format().books(): codewords x block size.
  [[nodiscard]] const T* book(std::size_t b) const noexcept {
    return books_.data() + b * format_.codewords * format_.block_size;
  }
  /// How the kernel dot_rows reads a codeword, and codebook b so.
  [[nodiscard]] const codeword_vectors& vectors() const noexcept { return vectors_; }
  [[nodiscard]] const T* narrow_book(std::size_t b) const noexcept {
    return narrow_books_.data() + b * format_.codewords * vectors_.size();
  }
  /// Codebook b transposed, block_size x table_entries(codewords), zero beyond the codewords: what look-up tables are
  /// built from. Null where the kernels have none for so many codewords.
  [[nodiscard]] const T* words(std::size_t b) const noexcept {
    return words_.empty() ? nullptr : words_.data() + b * format_.block_size * table_entries(format_.codewords);
  }
  /// The codewords in 8 bits; empty unless the layer may be computed so: int8 is allowed, T is float, and all stages
  /// have no more than 66311 columns together.
  [[nodiscard]] const detail::int8_book& int8() const noexcept { return int8_; }
  /// Bytes held.
  [[nodiscard]] std::size_t bytes() const noexcept {
    return codes8_.size() + codes16_.size() * 2 + used8_.bytes() + used16_.bytes() + int8_.bytes() +
           (books_.size() + narrow_books_.size() + words_.size() + scales_.size()) * sizeof(T);
  }

  /// Which codewords each block position uses, for the width of code that is held.
  template <class Code>
  [[nodiscard]] const detail::used_words<Code>& used() const noexcept {
    if constexpr (sizeof(Code) == 1)
      return used8_;
    else
      return used16_;
  }
  /// How many those are, on average, and entries of a table that holds those of any position.
  [[nodiscard]] double words_per_block() const noexcept { return codes8_.empty() ? used16_.mean() : used8_.mean(); }
  [[nodiscard]] std::size_t words_at_most() const noexcept {
    return codes8_.empty() ? used16_.entries() : used8_.entries();
  }

  /// Calls f(codes of row r onwards) with the width of code that is held. `position` is that of block and stage, see
  /// code_format.
  template <class F>
  void with_codes(std::size_t position, std::size_t r, F&& f) const {
    if (!codes8_.empty())
      f(codes8_.data() + position * code_stride_ + r);
    else
      f(codes16_.data() + position * code_stride_ + r);
  }

 private:
  /// The codebooks as the kernels for few columns read them.
  void split_books(const pq_matrix<T>& w) {
    const std::size_t d = format_.block_size, count = format_.books() * format_.codewords;
    const lookup_kernels<T>& lookup = kernels_->lookup;
    vectors_ = split_codeword(d, kernels_->lanes, std::is_same_v<T, float>);
    narrow_books_ = aligned_buffer<T>(count * vectors_.size());
    const bool tables = format_.codewords <= (std::max)(lookup.exact_codewords, lookup.lut16_codewords);
    const std::size_t entries = tables ? table_entries(format_.codewords) : 0;
    words_ = aligned_buffer<T>(format_.books() * d * entries);
    for (std::size_t k = 0; k < count; ++k)
      for (std::size_t i = 0; i < d; ++i) {
        const T value = w.book().values()[k * d + i];
        narrow_books_[k * vectors_.size() + i] = value;
        if (tables) words_[(k / format_.codewords * d + i) * entries + k % format_.codewords] = value;
      }
  }

  template <class Code>
  void pack(const pq_matrix<T>& w, aligned_buffer<Code>& codes, detail::used_words<Code>& used) {
    codes = aligned_buffer<Code>(format_.row_codes() * code_stride_);
    std::vector<Code> row(format_.row_codes());
    for (std::size_t r = 0; r < format_.rows; ++r) {
      w.codes().unpack(r * row.size(), std::span<Code>(row));
      for (std::size_t p = 0; p < row.size(); ++p) codes[p * code_stride_ + r] = row[p];
    }
    used = detail::used_words<Code>(format_, codes.data(), code_stride_);
  }

  const kernel_table<T>* kernels_ = nullptr;
  code_format format_{};
  precision allowed_ = precision::exact;
  path_costs costs_{};
  std::size_t code_stride_ = 0;
  codeword_vectors vectors_;
  aligned_buffer<T> books_, narrow_books_, words_, scales_;
  aligned_buffer<std::uint8_t> codes8_;
  aligned_buffer<std::uint16_t> codes16_;
  detail::used_words<std::uint8_t> used8_;
  detail::used_words<std::uint16_t> used16_;
  detail::int8_book int8_;
};

/// The form of `w` to keep when it is multiplied with more than once; `allowed` as in the constructor.
template <scalar T>
[[nodiscard]] prepacked_matrix<T> prepack(const pq_matrix<T>& w, precision allowed = precision::exact) {
  return prepacked_matrix<T>(w, bitpq::kernels<T>(), allowed);
}

}  // namespace v1
}  // namespace bitpq
