// SPDX-License-Identifier: Apache-2.0
#pragma once

// The numbers that describe how codes stand for weights, and the exact sizes that follow from them.

#include <bitpq/core/concepts.hpp>

#include <algorithm>
#include <bit>
#include <optional>

namespace bitpq {
inline namespace v1 {

/// How codewords are stored: in a file, and in the accounting of sizes.
enum class codeword_type { f64, f32, f16, i8 };

constexpr const char* to_string(codeword_type type) noexcept {
  switch (type) {
    case codeword_type::f64: return "f64";
    case codeword_type::f32: return "f32";
    case codeword_type::f16: return "f16";
    case codeword_type::i8: return "i8";
  }
  return "unknown";
}

/// Bits of one stored codeword element.
constexpr int bits_of(codeword_type type) noexcept {
  switch (type) {
    case codeword_type::f64: return 64;
    case codeword_type::f32: return 32;
    case codeword_type::f16: return 16;
    case codeword_type::i8: return 8;
  }
  return 0;
}

/// The most codewords of one codebook: a code has at most 16 bits.
inline constexpr std::size_t max_codewords = 65536;

/// The most stages of a format.
inline constexpr std::size_t max_stages = 16;

/// Bits of a code that tells `codewords` apart, at least one.
constexpr int code_bits_for(std::size_t codewords) noexcept {
  return codewords <= 2 ? 1 : static_cast<int>(std::bit_width(codewords - 1));
}

/// A rows x cols weight matrix is cut, along its columns, into blocks of `block_size`; the last block of a row is
/// padded with zeros when cols is no multiple of it. Each run of `blocks_per_codebook` consecutive block positions
/// shares a codebook of `codewords` codewords. With several `stages` a block is the sum of as many codewords, one of
/// each stage's own codebooks (residual codebooks): the codes are those of the matrix [W1 W2 ...] that reads its input
/// once per stage.
struct code_format {
  std::size_t rows = 0;
  std::size_t cols = 0;
  std::size_t block_size = 0;
  std::size_t codewords = 0;
  std::size_t codebooks = 1;  ///< of each stage
  std::size_t stages = 1;

  /// Block positions of a row; 0 for a format not yet given.
  [[nodiscard]] constexpr std::size_t blocks() const noexcept {
    return block_size == 0 ? 0 : ceil_div(cols, block_size);
  }
  /// Codes of a row: those of its blocks for stage 0, then for stage 1, and so on.
  [[nodiscard]] constexpr std::size_t row_codes() const noexcept { return stages * blocks(); }
  /// Where the code of block j is among them.
  [[nodiscard]] constexpr std::size_t position(std::size_t stage, std::size_t j) const noexcept {
    return stage * blocks() + j;
  }
  [[nodiscard]] constexpr std::size_t codes() const noexcept { return rows * row_codes(); }
  [[nodiscard]] constexpr int code_bits() const noexcept { return code_bits_for(codewords); }
  [[nodiscard]] constexpr std::size_t blocks_per_codebook() const noexcept { return ceil_div(blocks(), codebooks); }
  /// The codebook, of one stage's, that block position j draws from.
  [[nodiscard]] constexpr std::size_t codebook_of(std::size_t j) const noexcept { return j / blocks_per_codebook(); }
  /// The first block position beyond j that draws from another codebook, or from none.
  [[nodiscard]] constexpr std::size_t codebook_end(std::size_t j) const noexcept {
    return (std::min)((codebook_of(j) + 1) * blocks_per_codebook(), blocks());
  }
  /// The codebooks of all stages, and which of them block position j draws from.
  [[nodiscard]] constexpr std::size_t books() const noexcept { return stages * codebooks; }
  [[nodiscard]] constexpr std::size_t book_of(std::size_t stage, std::size_t j) const noexcept {
    return stage * codebooks + codebook_of(j);
  }
  /// Columns of block j: block_size, or fewer in the tail.
  [[nodiscard]] constexpr std::size_t width_of(std::size_t j) const noexcept {
    return j + 1 < blocks() ? block_size : cols - j * block_size;
  }

  /// Throws bad_shape or bad_params with the numbers.
  void validate() const {
    require(rows > 0 && cols > 0, errc::bad_shape, "weight matrix of ", rows, " x ", cols);
    require(block_size > 0 && block_size <= cols, errc::bad_params, "block size ", block_size, " is outside 1 .. ",
            cols, ", the columns of the weight matrix");
    require(codewords > 0 && codewords <= max_codewords, errc::bad_params, "a codebook of ", codewords,
            " codewords is outside 1 .. ", max_codewords);
    require(codebooks > 0 && ceil_div(blocks(), blocks_per_codebook()) == codebooks, errc::bad_params, codebooks,
            " codebooks do not share out ", blocks(), " block positions evenly");
    require(stages > 0 && stages <= max_stages, errc::bad_params, stages, " stages are outside 1 .. ", max_stages);
    static_cast<void>(checked_product(checked_product(rows, cols, "weights"), 64 * stages, "bits of the weights"));
    static_cast<void>(checked_product(checked_product(books(), codewords, "codewords"),
                                      checked_product(block_size, 64, "codeword"), "bits of the codebooks"));
  }

  friend constexpr bool operator==(const code_format&, const code_format&) = default;
};

/// Exact sizes, in bits, of what a compressed layer stores. Codes and codebooks are whole bytes each, as in a file.
struct size_report {
  std::size_t code_bits = 0;
  std::size_t codebook_bits = 0;
  std::size_t scale_bits = 0;  ///< scales of int8 codebooks and of rows
  std::size_t weights = 0;     ///< how many weights they stand for

  [[nodiscard]] constexpr std::size_t total_bits() const noexcept { return code_bits + codebook_bits + scale_bits; }
  [[nodiscard]] constexpr std::size_t bytes() const noexcept { return ceil_div(total_bits(), 8); }
  [[nodiscard]] constexpr double bits_per_weight() const noexcept {
    return weights == 0 ? 0 : static_cast<double>(total_bits()) / static_cast<double>(weights);
  }
};

/// Sizes of a matrix of that format with codewords of that type; a code costs code_bits(), rounded up to bytes once
/// per matrix; an int8 codebook carries one fp32 scale, and a row one of type `row_scale`, if there are any.
[[nodiscard]] constexpr size_report size_of(const code_format& format, codeword_type type,
                                            std::optional<codeword_type> row_scale = std::nullopt) noexcept {
  size_report size;
  size.code_bits = round_up(format.codes() * static_cast<std::size_t>(format.code_bits()), 8);
  size.codebook_bits = format.books() * format.codewords * format.block_size * static_cast<std::size_t>(bits_of(type));
  size.scale_bits = type == codeword_type::i8 ? format.books() * 32 : 0;
  if (row_scale) size.scale_bits += format.rows * static_cast<std::size_t>(bits_of(*row_scale));
  size.weights = format.rows * format.cols;
  return size;
}

}  // namespace v1
}  // namespace bitpq
