// SPDX-License-Identifier: Apache-2.0
#pragma once

// A layer on its way to codes: codewords not yet rounded to storage, codes not yet packed. What training makes,
// refinement improves, and pq_matrix freezes.

#include <bitpq/codec/pq_matrix.hpp>

namespace bitpq {
inline namespace v1 {

template <scalar T>
struct pq_draft {
  code_format format;
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

  /// The codebook with the codewords as `storage` holds them. Throws as codebook's constructor does.
  [[nodiscard]] codebook<T> rounded(codeword_type storage) const {
    return codebook<T>(codewords.span(), format.codebooks, format.codewords, format.block_size, storage);
  }

  /// The compressed weights. Throws as above.
  [[nodiscard]] pq_matrix<T> freeze(codeword_type storage) const {
    return pq_matrix<T>(format.rows, format.cols, rounded(storage), packed_codes(format.code_bits(), codes));
  }
};

}  // namespace v1
}  // namespace bitpq
