// SPDX-License-Identifier: Apache-2.0
#pragma once

// What kernels are handed, where it takes more than a few numbers.

#include <bitpq/core/concepts.hpp>

namespace bitpq {
inline namespace v1 {

/// What tables are built from, and how they lie: a table is `entries` entries of `width` columns, two vectors or
/// lut_width; of its columns `columns` are live.
template <scalar T>
struct lut_operands {
  const T* book;
  std::size_t book_stride, d, entries, width, columns;
};

/// Look up: sums[r * ld] (+)= sum over j < blocks of tables[j][codes[j * code_stride + r]], r < rows.
template <scalar T, class Code>
struct lut_look_up {
  const T* tables;    ///< blocks x entries x width
  const Code* codes;  ///< which entry
  std::size_t code_stride;
  T* sums;  ///< rows x width
  std::size_t ld;
  std::size_t rows, blocks;
  bool accumulate;  ///< else sums are written only
};

/// A run of codewords' names in an array of them. Lists are padded to groups with their last codeword, so that tiles
/// of up to so many codewords need no smaller ones at the end.
struct word_list {
  std::uint32_t first, count;
};
inline constexpr std::size_t word_list_group = 8;

/// Build: tables[j][i] = book[k] * inputs[j * d .. (j + 1) * d) with k codeword i of list j, the last block cut off by
/// the depth.
template <scalar T, class Code>
struct lut_build {
  const T* inputs;  ///< depth x width, packed
  std::size_t ld;
  T* tables;  ///< blocks x entries x width
  std::size_t depth;
  const Code* words;
  const word_list* lists;  ///< one per block
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

/// Winograd's filtering with 3 x 3, of tiles of that many outputs, squared, by a stride of 1 or 2: the inputs along a
/// side of a tile, which become as many values.
constexpr std::size_t winograd_side(std::size_t tile, std::size_t stride) noexcept { return (tile - 1) * stride + 3; }
/// The products of a tile, one at each position.
constexpr std::size_t winograd_positions(std::size_t tile, std::size_t stride) noexcept {
  return winograd_side(tile, stride) * winograd_side(tile, stride);
}
/// The values of a transformed filter, along a side and in all.
constexpr std::size_t winograd_filter_side(std::size_t tile) noexcept { return tile + 2; }
constexpr std::size_t winograd_filter_values(std::size_t tile) noexcept {
  return winograd_filter_side(tile) * winograd_filter_side(tile);
}
/// Which of them multiplies at a position: the same along each side, of which the last one serves all further
/// positions.
constexpr std::size_t winograd_filter_at(std::size_t position, std::size_t tile, std::size_t stride) noexcept {
  const std::size_t side = winograd_side(tile, stride), last = winograd_filter_side(tile) - 1;
  const std::size_t i = position / side, j = position % side;
  return (i < last ? i : last) * (last + 1) + (j < last ? j : last);
}

/// How strips of Winograd's tiles of 4 x 4 lie, for vectors of so many lanes, see winograd_strips.hpp: vectors of a
/// strip, at most; parts of the positions, how many of them a part has, and the vectors that it makes of some tiles.
inline constexpr std::size_t strip_vectors = 4;
BITPQ_FORCE_INLINE constexpr std::size_t strip_parts(std::size_t lanes) noexcept {
  return ceil_div(winograd_positions(4, 1), lanes);
}
BITPQ_FORCE_INLINE constexpr std::size_t strip_part_width(std::size_t part, std::size_t lanes) noexcept {
  const std::size_t rest = winograd_positions(4, 1) - part * lanes;
  return rest < lanes ? rest : lanes;
}
BITPQ_FORCE_INLINE constexpr std::size_t strip_part_vectors(std::size_t part, std::size_t tiles,
                                                            std::size_t lanes) noexcept {
  return ceil_div(tiles * strip_part_width(part, lanes), lanes);
}

/// A product of one part of the codewords with one strip of tiles: see winograd_strips.hpp.
template <scalar T, class Code>
struct strip_product {
  const T* words;     ///< a vector per codeword
  const Code* codes;  ///< codes[c * code_stride + r]: channel c of row r
  std::size_t code_stride;
  const T* inputs;  ///< channel c's vectors at c * input_stride
  std::size_t input_stride;
  T* sums;  ///< rows x strip_vectors vectors, of which the first `vectors` are live
  std::size_t rows, vectors, channels;
  bool accumulate;  ///< else sums are written only
};

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
