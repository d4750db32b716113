// SPDX-License-Identifier: Apache-2.0
#pragma once

// A compressed weight matrix: codebooks and packed codes. Its constructor validates, so that everything that computes
// with one can trust it.

#include <bitpq/codec/code_format.hpp>
#include <bitpq/codec/codebook.hpp>
#include <bitpq/codec/packed_codes.hpp>

namespace bitpq {
inline namespace v1 {

/// rows x cols weights. The code of row r and block position j is codes()[r * blocks + j]; block j of row r is the
/// codeword it names in codebook format().codebook_of(j), cut to the width of the block.
template <scalar T>
class pq_matrix {
 public:
  using value_type = T;

  pq_matrix() = default;

  /// Throws bad_shape when codes, codebook and shape do not fit together, bad_params when the number of codebooks does
  /// not share out the block positions, corrupt_file when a code names no codeword; O(codes).
  pq_matrix(std::size_t rows, std::size_t cols, codebook<T> book, packed_codes codes)
      : book_(std::move(book)),
        codes_(std::move(codes)),
        format_{rows, cols, book_.block_size(), book_.codewords(), book_.count()} {
    format_.validate();
    require(codes_.size() == format_.codes(), errc::bad_shape, rows, " x ", cols, " weights in blocks of ",
            format_.block_size, " need ", format_.codes(), " codes, got ", codes_.size());
    require(codes_.bits() == format_.code_bits(), errc::bad_shape, "codes of ", codes_.bits(), " bits for ",
            format_.codewords, " codewords, which take ", format_.code_bits());
    for (std::size_t i = 0; i < codes_.size(); ++i)
      require(codes_[i] < format_.codewords, errc::corrupt_file, "code ", codes_[i], " at row ", i / format_.blocks(),
              ", block ", i % format_.blocks(), " names none of ", format_.codewords, " codewords");
  }

  [[nodiscard]] std::size_t rows() const noexcept { return format_.rows; }
  [[nodiscard]] std::size_t cols() const noexcept { return format_.cols; }
  [[nodiscard]] const code_format& format() const noexcept { return format_; }
  [[nodiscard]] const codebook<T>& book() const noexcept { return book_; }
  [[nodiscard]] const packed_codes& codes() const noexcept { return codes_; }
  [[nodiscard]] size_report size() const noexcept { return size_of(format_, book_.type()); }

  /// The code of row r, block j.
  [[nodiscard]] std::uint16_t code(std::size_t r, std::size_t j) const noexcept {
    return codes_[r * format_.blocks() + j];
  }

  /// Writes the weights into `out`, rows() x cols() with any strides; O(rows * cols). Throws bad_shape, nothing
  /// written, when the shape differs.
  void decode(matrix_view<T> out) const {
    require(out.rows() == rows() && out.cols() == cols(), errc::bad_shape, "decoding ", rows(), " x ", cols(),
            " weights into ", out.rows(), " x ", out.cols());
    const std::size_t d = format_.block_size;
    for (std::size_t j = 0; j < format_.blocks(); ++j) {
      const matrix_view<const T> words = book_[format_.codebook_of(j)];
      for (std::size_t r = 0; r < rows(); ++r)
        for (std::size_t i = 0; i < format_.width_of(j); ++i) out(r, j * d + i) = words(code(r, j), i);
    }
  }

 private:
  codebook<T> book_;
  packed_codes codes_;
  code_format format_{};
};

}  // namespace v1
}  // namespace bitpq
