// SPDX-License-Identifier: Apache-2.0
#pragma once

// A compressed weight matrix: codebooks, packed codes, and perhaps a scale for each row. Its constructor validates, so
// that everything that computes with one can trust it.

#include <bitpq/codec/code_format.hpp>
#include <bitpq/codec/codebook.hpp>
#include <bitpq/codec/packed_codes.hpp>
#include <bitpq/codec/row_scales.hpp>

namespace bitpq {
inline namespace v1 {

/// rows x cols weights. The code of row r, stage m and block position j is codes()[r * row_codes + m * blocks + j];
/// block j of row r is the sum, over the stages in their order, of the codewords they name in codebooks
/// format().book_of(m, j), times the row's scale, and cut to the width of the block.
template <scalar T>
class pq_matrix {
 public:
  using value_type = T;

  pq_matrix() = default;

  /// `book` holds the codebooks of stage 0, then those of stage 1, and so on. Throws bad_shape when codes, codebook,
  /// scales and shape do not fit together, bad_params when the stages do not share out the codebooks or these the block
  /// positions, corrupt_file when a code names no codeword; O(codes).
  pq_matrix(std::size_t rows, std::size_t cols, codebook<T> book, packed_codes codes, std::size_t stages = 1,
            row_scales<T> scales = {})
      : book_(std::move(book)),
        codes_(std::move(codes)),
        scales_(std::move(scales)),
        format_(format_for(rows, cols, book_, stages)) {
    require(codes_.size() == format_.codes(), errc::bad_shape, rows, " x ", cols, " weights in blocks of ",
            format_.block_size, ", stages ", stages, ", need ", format_.codes(), " codes, got ", codes_.size());
    require(scales_.empty() || scales_.size() == rows, errc::bad_shape, scales_.size(), " row scales for ", rows,
            " rows");
    require(codes_.bits() == format_.code_bits(), errc::bad_shape, "codes of ", codes_.bits(), " bits for ",
            format_.codewords, " codewords, which take ", format_.code_bits());
    for (std::size_t i = 0; i < codes_.size(); ++i)
      require(codes_[i] < format_.codewords, errc::corrupt_file, "code ", codes_[i], " at row ",
              i / format_.row_codes(), ", stage ", i % format_.row_codes() / format_.blocks(), ", block ",
              i % format_.blocks(), " names none of ", format_.codewords, " codewords");
  }

  [[nodiscard]] std::size_t rows() const noexcept { return format_.rows; }
  [[nodiscard]] std::size_t cols() const noexcept { return format_.cols; }
  [[nodiscard]] const code_format& format() const noexcept { return format_; }
  [[nodiscard]] const codebook<T>& book() const noexcept { return book_; }
  [[nodiscard]] const packed_codes& codes() const noexcept { return codes_; }
  /// One per row, or none.
  [[nodiscard]] const row_scales<T>& scales() const noexcept { return scales_; }
  [[nodiscard]] size_report size() const noexcept { return size_of(format_, book_.type(), scales_.type()); }

  /// The code of row r, block j.
  [[nodiscard]] std::uint16_t code(std::size_t r, std::size_t j, std::size_t stage = 0) const noexcept {
    return codes_[r * format_.row_codes() + format_.position(stage, j)];
  }

  /// Writes the weights into `out`, rows() x cols() with any strides; O(rows * cols * stages). Throws bad_shape,
  /// nothing written, when the shape differs.
  void decode(matrix_view<T> out) const {
    require(out.rows() == rows() && out.cols() == cols(), errc::bad_shape, "decoding ", rows(), " x ", cols(),
            " weights into ", out.rows(), " x ", out.cols());
    for (std::size_t stage = 0; stage < format_.stages; ++stage)
      for (std::size_t j = 0; j < format_.blocks(); ++j) decode_block(stage, j, out);
    if (scales_.empty()) return;
    for (std::size_t r = 0; r < rows(); ++r)
      for (std::size_t c = 0; c < cols(); ++c) out(r, c) *= scales_[r];
  }

 private:
  static code_format format_for(std::size_t rows, std::size_t cols, const codebook<T>& book, std::size_t stages) {
    require(stages == 0 || book.count() % stages == 0, errc::bad_params, book.count(), " codebooks for ", stages,
            " stages of as many each");
    const std::size_t codebooks = stages == 0 ? book.count() : book.count() / stages;
    const code_format format{rows, cols, book.block_size(), book.codewords(), codebooks, stages};
    format.validate();
    return format;
  }

  /// Writes block j of all rows, or adds it beyond the first stage.
  void decode_block(std::size_t stage, std::size_t j, const matrix_view<T>& out) const {
    const matrix_view<const T> words = book_[format_.book_of(stage, j)];
    for (std::size_t r = 0; r < rows(); ++r) {
      const T* const word = &words(code(r, j, stage), 0);
      for (std::size_t i = 0; i < format_.width_of(j); ++i) {
        T& weight = out(r, j * format_.block_size + i);
        weight = stage == 0 ? word[i] : weight + word[i];
      }
    }
  }

  codebook<T> book_;
  packed_codes codes_;
  row_scales<T> scales_;
  code_format format_{};
};

}  // namespace v1
}  // namespace bitpq
