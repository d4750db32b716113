// SPDX-License-Identifier: Apache-2.0
#pragma once

// A layer on its way to codes: codewords not yet rounded to storage, codes not yet packed. What training makes,
// refinement improves, and pq_matrix freezes. Drafts have one stage; a layer of several is as many drafts, whose sum it
// is.

#include <bitpq/codec/pq_matrix.hpp>

namespace bitpq {
inline namespace v1 {

template <scalar T>
struct pq_draft {
  code_format format;                ///< of one stage
  aligned_buffer<T> codewords;       ///< codebooks x K x d
  std::vector<std::uint16_t> codes;  ///< rows x blocks
  std::vector<T> row_weights{};      ///< how much errors of each row count in what rows share; empty: all 1

  [[nodiscard]] double row_weight(std::size_t r) const noexcept {
    return row_weights.empty() ? 1.0 : static_cast<double>(row_weights[r]);
  }
  /// Codeword k of the codebook that block position j draws from.
  [[nodiscard]] const T* codeword(std::size_t j, std::size_t k) const noexcept {
    return codewords.data() + (format.codebook_of(j) * format.codewords + k) * format.block_size;
  }
  [[nodiscard]] std::uint16_t& code(std::size_t r, std::size_t j) noexcept { return codes[r * format.blocks() + j]; }
  [[nodiscard]] std::uint16_t code(std::size_t r, std::size_t j) const noexcept {
    return codes[r * format.blocks() + j];
  }

  /// Writes the weights of the rows [first, first + n) to `out`, with row stride ld; by other codewords of the same
  /// layout where they are given.
  void decode_rows(std::size_t first, std::size_t n, T* out, std::size_t ld, const T* words = nullptr) const noexcept {
    if (words == nullptr) words = codewords.data();
    const std::size_t d = format.block_size;
    for (std::size_t r = 0; r < n; ++r)
      for (std::size_t j = 0; j < format.blocks(); ++j)
        std::copy_n(words + (format.codebook_of(j) * format.codewords + code(first + r, j)) * d, format.width_of(j),
                    out + r * ld + j * d);
  }

  /// to[i] += sign * the weights, rows x cols contiguous.
  void add_to(std::span<T> to, T sign) const {
    std::vector<T> row(format.cols);
    for (std::size_t r = 0; r < format.rows; ++r) {
      decode_rows(r, 1, row.data(), format.cols);
      for (std::size_t c = 0; c < format.cols; ++c) to[r * format.cols + c] += sign * row[c];
    }
  }

  /// Rounds the codewords to what `storage` can hold. Throws as codebook's constructor does.
  void round(codeword_type storage) {
    codewords = aligned_buffer<T>(
        codebook<T>(codewords.span(), format.codebooks, format.codewords, format.block_size, storage).values());
  }
};

/// The draft of a matrix of one stage, without its row scales.
template <scalar T>
[[nodiscard]] pq_draft<T> draft_of(const pq_matrix<T>& codes) {
  pq_draft<T> draft{codes.format(), aligned_buffer<T>(codes.book().values()),
                    std::vector<std::uint16_t>(codes.format().codes())};
  for (std::size_t i = 0; i < draft.codes.size(); ++i) draft.codes[i] = codes.codes()[i];
  return draft;
}

/// The compressed weights: the sum of the stages, which share a format, times the row scales. Throws as the
/// constructors of codebook and pq_matrix do.
template <scalar T>
[[nodiscard]] pq_matrix<T> freeze(std::span<const pq_draft<T>> stages, codeword_type storage,
                                  row_scales<T> scales = {}) {
  const code_format& f = stages.front().format;
  std::vector<T> words;
  std::vector<std::uint16_t> codes;
  for (const pq_draft<T>& stage : stages) words.insert(words.end(), stage.codewords.begin(), stage.codewords.end());
  for (std::size_t r = 0; r < f.rows; ++r)
    for (const pq_draft<T>& stage : stages)
      codes.insert(codes.end(), stage.codes.begin() + static_cast<std::ptrdiff_t>(r * f.blocks()),
                   stage.codes.begin() + static_cast<std::ptrdiff_t>((r + 1) * f.blocks()));
  codebook<T> book(words, stages.size() * f.codebooks, f.codewords, f.block_size, storage);
  return pq_matrix<T>(f.rows, f.cols, std::move(book), packed_codes(f.code_bits(), codes), stages.size(),
                      std::move(scales));
}

}  // namespace v1
}  // namespace bitpq
