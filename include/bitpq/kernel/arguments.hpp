// SPDX-License-Identifier: Apache-2.0
#pragma once

// What kernels are handed, where it takes more than a few numbers.

#include <bitpq/core/concepts.hpp>

namespace bitpq {
inline namespace v1 {

/// Look up: sums[r * ld] (+)= sum over j < blocks of tables[j][codes[j * code_stride + r]], r < rows.
template <scalar T, class Code>
struct lut_look_up {
  const T* tables;  ///< blocks x codewords x lut_width
  const Code* codes;
  std::size_t code_stride;
  T* sums;  ///< rows x lut_width
  std::size_t ld;
  std::size_t rows, blocks;
  bool accumulate;  ///< else sums are written only
};

/// Build: tables[j][k] = book[k] * inputs[j * d .. (j + 1) * d), the last block cut off by the depth.
template <scalar T>
struct lut_build {
  const T* inputs;  ///< depth x lut_width, packed
  std::size_t ld;
  T* tables;  ///< blocks x codewords x lut_width
  std::size_t depth;
};

/// Elements that copy_runs may touch beyond a run: a vector of the narrowest.
inline constexpr std::size_t copy_slack = 64;

/// A run of elements that is copied from one offset to another.
struct copy_run {
  std::ptrdiff_t from;
  std::size_t to, length;
  std::size_t image = 0;  ///< which unit to quantize by
};

/// Where sums go, all strides in elements: y[r][c] = act(sums[r][c] * scale[r] + bias[r] + residual[r][c]). A null
/// scale, bias or residual is none; act is max(0, .) with relu, else the identity.
template <scalar T>
struct store_target {
  T* y;
  std::ptrdiff_t y_row, y_column;
  const T* bias;
  const T* residual;
  std::ptrdiff_t residual_row, residual_column;
  bool relu;
  const T* scale = nullptr;
};

/// Lanes [first, first + length) of a panel and where their outputs go, row by row.
template <scalar T>
struct store_run {
  std::size_t first, length;
  store_target<T> to;
};

/// What moves between memory and the caches while a panel is multiplied. Either may be none: then sums stay where they
/// are added up, and nothing is fetched.
template <scalar T>
struct panel_traffic {
  const store_run<T>* outputs = nullptr;  ///< of the panel, whose sums are complete once this product is added
  std::size_t output_runs = 0;
  const T* next = nullptr;  ///< inputs that will be packed later, as deep as the product, in rows at next_row
  std::ptrdiff_t next_row = 0;
  std::size_t next_columns = 0;
};

/// Codewords that stand together in nearest_words.
inline constexpr std::size_t nearest_group = 4;

/// Codewords as `nearest` reads them, about an origin, negated and multiplied by any one number: nearest_group at a
/// time, element by element, so that element i of codeword k is words[(k / nearest_group * d + i) * nearest_group + k %
/// nearest_group]. half_norms[k] = |c_k - origin|^2 / 2 times that number. Padded to whole groups with zeros whose half
/// norm is infinite.
template <scalar T>
struct nearest_words {
  const T* words;
  const T* half_norms;
  const T* origin;
  std::size_t padded, d;
};

/// Elements from one cluster's sums to the next one's: whole vectors of four doubles.
constexpr std::size_t sum_stride(std::size_t d) noexcept { return round_up(d, 4); }

/// Products of a tile of that many outputs, squared, by Winograd's filtering with 3 x 3.
constexpr std::size_t winograd_positions(std::size_t tile) noexcept { return (tile + 2) * (tile + 2); }

/// An 8-bit product of rows of codes with a packed panel: sums[r * ld + c] (+)= row r times column c.
template <class Code>
struct int8_product {
  const std::uint32_t* book;  ///< words of the codewords, word_layout::of_codeword() each
  const Code* codes;          ///< codes[j * code_stride + r]: block j of row r
  std::size_t code_stride;
  const std::uint32_t* words;  ///< the panel: word_layout::of_column(blocks) rows at stride ldw
  std::size_t ldw;
  std::int32_t* sums;
  std::size_t ld;
  std::size_t rows, columns, blocks, d;
  bool accumulate;  ///< else sums are written only
};

/// The least and the largest of some elements and of zero; NaN both where one of them is not finite.
struct int8_range {
  float low = 0, high = 0;
};

/// How activations become bytes: x, in unit i, nearbyint(x * inverses[i]) + zeros[i].
struct int8_units {
  const float* inverses;
  const std::int32_t* zeros;
};

/// A word of weights that a row has beside those of its codewords; `at` is the row of the packed panel it goes with.
struct int8_word {
  std::uint32_t row, at, weights;
};

/// A product of such words, in the order of their rows, with a packed panel: sums[(r - row) * ld + c] += row r times
/// column c.
struct int8_sparse_product {
  const int8_word* extra;
  std::size_t count, row;
  const std::uint32_t* words;  ///< the panel, at stride ldw
  std::size_t ldw;
  std::int32_t* sums;
  std::size_t ld, columns;
};

/// Of a block of `width` elements, how many rows of inputs are multiplied at once: this many at most.
inline constexpr std::size_t most_gradient_rows = 9;
BITPQ_FORCE_INLINE constexpr std::size_t gradient_rows(std::size_t width) noexcept {
  const std::size_t pieces = (width + most_gradient_rows - 1) / most_gradient_rows;
  return (width + pieces - 1) / pieces;
}

/// One block position of a codeword gradient, over n columns, whole vectors: code codes[i], i < count, is named by the
/// rows rows[ends[i - 1]] .. rows[ends[i]] of y, where ends[-1] is 0; none of these runs is empty.
template <scalar T>
struct gradient_block {
  const T* y;  ///< output gradients, row stride ldy
  std::size_t ldy;
  const std::uint32_t* rows;
  const std::uint32_t* ends;
  const std::uint16_t* codes;
  std::size_t count;
  const T* x;  ///< what the block reads: `width` rows at stride ldx
  std::size_t ldx, width, n;
  T* sums;  ///< codeword k's begin at k * d sums of a vector each, or of one element each unless by_lane
  std::size_t d;
  bool by_lane;
};

}  // namespace v1
}  // namespace bitpq
