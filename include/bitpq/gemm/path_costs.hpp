// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the paths cost: constants of an instruction set, measured, and the formulas that they enter.

#include <bitpq/codec/code_format.hpp>
#include <bitpq/gemm/detail/task_sizes.hpp>
#include <bitpq/gemm/detail/used_words.hpp>
#include <bitpq/gemm/path.hpp>
#include <bitpq/gemm/precision.hpp>
#include <bitpq/kernel/arguments.hpp>
#include <bitpq/kernel/gemv_layout.hpp>
#include <bitpq/kernel/int8_layout.hpp>
#include <bitpq/kernel/isa.hpp>

#include <algorithm>
#include <array>
#include <cmath>

namespace bitpq {
inline namespace v1 {

/// A product as far as its costs go. Rows and columns are those of one group.
struct product_shape {
  std::size_t groups = 1, rows = 0, columns = 0;
  bool convolution = false;
  std::size_t window = 1;  ///< taps of a convolution
  std::array<std::size_t, 2>
      winograd_tiles{};    ///< of 2 x 2 and of 4 x 4 of all outputs; 0 where Winograd's filtering does not apply
  bool depthwise = false;  ///< one input channel per group
  std::size_t stride = 1;  ///< of a convolution whose outputs have tiles
  double words = 0;        ///< codewords that a block position uses, on average; 0: as random codes would
};

/// The kernels as far as costs go.
struct kernel_shape {
  isa target = isa::scalar;
  std::size_t lanes = 1, panel = 2, lut_width = 2, element = 4;
  std::size_t exact_codewords = 0, lut16_codewords = 0;  ///< the most that gemv_lut and lut16 take
  std::size_t int8_group = 0;                            ///< elements of a word of 8-bit products; 0: there are none
  bool strips = false;                                   ///< of few tiles, for Winograd's products
};

/// Cycles of one core, of an operation on one vector where not said otherwise. Measured and fitted: see
/// docs/adr/0012-plans.md and 0031-classes-of-cores.md.
struct path_costs {
  std::array<double, 4> multiply;  ///< a vector multiply-add in a panel of 1, 2, 3, 4 live vectors
  double single;                   ///< the same of 1 where codewords are single elements
  double strip;                    ///< the same in strips of tiles, where there are any
  double pack;                     ///< packing, and a tap's share of filling a window
  double store;                    ///< adding up, activation and storing
  double build, look_up;           ///< a multiply-add of a table's building, and a look-up, tables in the first cache
  double entry;                    ///< the rest of building, per entry
  double distant;                  ///< more per look-up and doubling of the tables beyond it
  double name_code;                ///< turning a code into an entry
  double wide_tables;              ///< multiply-adds per look-up from which on tables are as wide as panels
  double hidden;                   ///< share of the cheaper of the two that hides behind the other
  std::array<double, 4> transform_in;   ///< Winograd's, per channel and vector of tiles: of 2 x 2 and 4 x 4 with stride
                                        ///< 1, then with stride 2
  std::array<double, 4> transform_out;  ///< per row and vector of tiles
  double filter;                        ///< a tap of a depthwise filter
  double decode_code;                   ///< column by column: reading a code, for all columns of a pass
  double decode_vector;                 ///< multiplying one vector of a codeword with a column
  double decode_row;                    ///< adding a row's sum up and storing it
  double exact_code;                    ///< looking a code up in a table of floats, up to 16 (AVX-512: 32) codewords
  double exact_plane, exact_base;       ///< the same per 64 entries beyond that, and at the least
  double lut16_few;                     ///< looking a code up in a table of 16 bits, up to 16 codewords
  double lut16_code, lut16_plane;       ///< the same up to 64, and more per further 64 entries
  double build_product;                 ///< a vector multiply-add of building these tables
  double build_entry;                   ///< the rest of building, per entry
  double int8_word;                     ///< a vector of words times a row's, in multiply-adds of floats
  double int8_pack, int8_store;         ///< as pack and store
  std::array<double, 16> scale{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};  ///< of each path, by calibration
};

/// The constants of an instruction set, for plans on that class of core (see this_core).
constexpr path_costs path_costs_of(isa target, core_class on = core_class::narrow) noexcept {
  switch (target) {
    case isa::avx512vnni:
      if (on == core_class::wide)
        return {
            .multiply = {0.88, 0.62, 0.6, 0.54},
            .single = 0.86,
            .strip = 0.63,
            .pack = 3.9,
            .store = 2.5,
            .build = 0.48,
            .look_up = 1.45,
            .entry = 1.4,
            .distant = 0.075,
            .name_code = 0.1,
            .wide_tables = 0,
            .hidden = 0.16,
            .transform_in = {61, 330, 280, 1600},
            .transform_out = {81, 280, 52, 340},
            .filter = 3.7,
            .decode_code = 0.29,
            .decode_vector = 0.52,
            .decode_row = 5.6,
            .exact_code = 0.072,
            .exact_plane = 0.022,
            .exact_base = 0.045,
            .lut16_few = 0.107,
            .lut16_code = 0.073,
            .lut16_plane = 0.008,
            .build_product = 0.6,
            .build_entry = 0.27,
            .int8_word = 1.2,
            .int8_pack = 5,
            .int8_store = 12,
        };
      return {
          .multiply = {1.27, 1.19, 1.01, 1.02},
          .single = 1.08,
          .strip = 1.1,
          .pack = 7.2,
          .store = 9.4,
          .build = 1.19,
          .look_up = 1.79,
          .entry = 0,
          .distant = 0.19,
          .name_code = 0.1,
          .wide_tables = detail::common_wide_tables,
          .hidden = 0.2,
          .transform_in = {120, 490, 290, 1600},
          .transform_out = {84, 340, 210, 1200},
          .filter = 3.7,
          .decode_code = 0.7,
          .decode_vector = 0.3,
          .decode_row = 25,
          .exact_code = 0.12,
          .exact_plane = 0.05,
          .exact_base = 0.18,
          .lut16_few = 0.15,
          .lut16_code = 0.12,
          .lut16_plane = 0.03,
          .build_product = 1.2,
          .build_entry = 0.35,
          .int8_word = 1,
          .int8_pack = 6,
          .int8_store = 12,
      };
    case isa::avx512: {
      path_costs costs = path_costs_of(isa::avx512vnni, on);  // but for what VBMI and VNNI are for
      costs.int8_word = 1.35;
      costs.name_code = 1.5;
      return costs;
    }
    case isa::avx2:
      return {
          .multiply = {0.99, 0.64, 0.64, 0.64},
          .single = 0.84,
          .strip = 0,
          .pack = 5.1,
          .store = 8.8,
          .build = 0.68,
          .look_up = 1.3,
          .entry = 0,
          .distant = 0.17,
          .name_code = 1.5,
          .wide_tables = detail::common_wide_tables,
          .hidden = 0,
          .transform_in = {40, 300, 180, 1100},
          .transform_out = {28, 210, 140, 700},
          .filter = 2,
          .decode_code = 0.7,
          .decode_vector = 0.35,
          .decode_row = 25,
          .exact_code = 0.26,
          .exact_plane = 0,
          .exact_base = 0,
          .lut16_few = 0.16,
          .lut16_code = 0,
          .lut16_plane = 0,
          .build_product = 1,
          .build_entry = 3,
          .int8_word = 1.9,
          .int8_pack = 6,
          .int8_store = 12,
      };
    case isa::neon64:  // not measured
      return {
          .multiply = {1, 0.6, 0.6, 0.6},
          .single = 1,
          .strip = 0.6,
          .pack = 5,
          .store = 9,
          .build = 0.6,
          .look_up = 1.5,
          .entry = 0,
          .distant = 0.2,
          .name_code = 1.5,
          .wide_tables = detail::common_wide_tables,
          .hidden = 0.1,
          .transform_in = {60, 330, 96, 660},
          .transform_out = {42, 230, 67, 460},
          .filter = 2,
          .decode_code = 1.5,
          .decode_vector = 0.6,
          .decode_row = 25,
          .exact_code = 1.1,
          .exact_plane = 0,
          .exact_base = 0,
          .lut16_few = 0.6,
          .lut16_code = 0,
          .lut16_plane = 0,
          .build_product = 1,
          .build_entry = 5,
          .int8_word = 4,
          .int8_pack = 6,
          .int8_store = 12,
      };
    case isa::sse2:
      return {
          .multiply = {1.24, 0.74, 0.74, 0.74},
          .single = 1.24,
          .strip = 0,
          .pack = 6.4,
          .store = 12.5,
          .build = 0.67,
          .look_up = 1.64,
          .entry = 0,
          .distant = 0.23,
          .name_code = 1.5,
          .wide_tables = detail::common_wide_tables,
          .hidden = 0.16,
          .transform_in = {90, 380, 144, 760},
          .transform_out = {63, 266, 101, 532},
          .filter = 2.2,
          .decode_code = 1,
          .decode_vector = 0.5,
          .decode_row = 25,
          .exact_code = 0,
          .exact_plane = 0,
          .exact_base = 0,
          .lut16_few = 0,
          .lut16_code = 0,
          .lut16_plane = 0,
          .build_product = 1,
          .build_entry = 5,
          .int8_word = 1.5,
          .int8_pack = 6,
          .int8_store = 12,
      };
    case isa::scalar:
      return {
          .multiply = {1.2, 1.1, 1.1, 1.1},
          .single = 1.2,
          .strip = 0,
          .pack = 5,
          .store = 9,
          .build = 1.1,
          .look_up = 1.5,
          .entry = 0,
          .distant = 0.1,
          .name_code = 1.5,
          .wide_tables = detail::common_wide_tables,
          .hidden = 0.1,
          .transform_in = {100, 400, 160, 800},
          .transform_out = {70, 280, 112, 560},
          .filter = 2,
          .decode_code = 1.5,
          .decode_vector = 0.75,
          .decode_row = 10,
          .exact_code = 3,
          .exact_plane = 0,
          .exact_base = 3,
          .lut16_few = 5,
          .lut16_code = 5,
          .lut16_plane = 0,
          .build_product = 1,
          .build_entry = 5,
          .int8_word = 3.2,
          .int8_pack = 6,
          .int8_store = 12,
      };
  }
  return {};
}

namespace detail {

/// The formulas. Costs are for all groups. A format of several stages multiplies or looks up once per stage, and moves
/// inputs and outputs once.
class cost_model {
 public:
  cost_model(const code_format& format, const product_shape& shape, const kernel_shape& kernels,
             const path_costs& costs) noexcept
      : format_(format), shape_(shape), kernels_(kernels), costs_(costs) {}

  [[nodiscard]] double of(gemm_path path) const noexcept {
    double cycles = 0;
    switch (path) {
      case gemm_path::decode: cycles = groups() * decode(); break;
      case gemm_path::lut: cycles = groups() * lut(); break;
      case gemm_path::winograd:
      case gemm_path::winograd4: cycles = groups() * winograd(winograd_tile(path)); break;
      case gemm_path::depthwise: cycles = groups() * depthwise(); break;
      case gemm_path::gemv: cycles = gemv() + reading(); break;
      case gemm_path::gemv_lut:
      case gemm_path::lut16: cycles = gemv_table(path) + reading(); break;
      case gemm_path::int8: cycles = groups() * int8(); break;
      case gemm_path::automatic: break;
    }
    return cycles * costs_.scale[static_cast<std::size_t>(path)];
  }

 private:
  static double real(std::size_t n) noexcept { return static_cast<double>(n); }
  [[nodiscard]] double groups() const noexcept { return real(shape_.groups); }
  [[nodiscard]] double stages() const noexcept { return real(format_.stages); }
  [[nodiscard]] std::size_t vectors(std::size_t columns) const noexcept { return ceil_div(columns, kernels_.lanes); }

  /// A vector multiply-add of each of `columns` columns, in panels; `one`: of a panel of one live vector.
  [[nodiscard]] double multiply(std::size_t columns, double one) const noexcept {
    const std::size_t whole = columns / kernels_.panel, rest = vectors(columns % kernels_.panel);
    const std::size_t each = kernels_.panel / kernels_.lanes;
    const auto of_panel = [&](std::size_t v) { return v == 1 ? one : real(v) * costs_.multiply[v - 1]; };
    return real(whole) * of_panel((std::min)(each, std::size_t{4})) + (rest == 0 ? 0 : of_panel(rest));
  }
  [[nodiscard]] double multiply(std::size_t columns) const noexcept { return multiply(columns, costs_.multiply[0]); }
  /// Vectors of a table's columns, as many whole ones would take as long: of tables as wide as panels, which those of
  /// up to 256 codewords are where all are, the last one has fewer live vectors, which take longer each.
  [[nodiscard]] double table_vectors(std::size_t columns) const noexcept {
    const bool wide = costs_.wide_tables == 0 && format_.codewords <= 256;
    return wide ? multiply(columns) / costs_.multiply[3] : real(vectors(columns));
  }
  [[nodiscard]] double move(std::size_t tasks) const noexcept {
    return real(vectors(shape_.columns)) *
           (costs_.pack * real(format_.cols * tasks) + costs_.store * real(shape_.rows));
  }
  [[nodiscard]] double decode() const noexcept {
    return stages() * real(shape_.rows * format_.cols) * multiply(shape_.columns) +
           move(ceil_div(shape_.rows, direct_task_rows));
  }
  [[nodiscard]] double int8() const noexcept {
    const std::size_t words = word_layout(kernels_.int8_group, format_.block_size).of_column(format_.blocks());
    const double pack = shape_.window == 1 ? 2 * costs_.int8_pack : costs_.int8_pack;  // taps share the rounding
    return stages() * costs_.int8_word * real(shape_.rows * words) * multiply(shape_.columns) +
           real(vectors(shape_.columns)) * (pack * real(format_.cols * ceil_div(shape_.rows, int8_task_rows)) +
                                            costs_.int8_store * real(shape_.rows));
  }
  [[nodiscard]] double lut() const noexcept {
    const std::size_t tasks = ceil_div(shape_.rows, table_task_rows);
    const double columns = table_vectors(shape_.columns);
    // Two runs of blocks, one being built; the first-level cache is taken to be 32 KB.
    const double words = shape_.words > 0 ? shape_.words : expected_words(format_);
    const double tables = words * real(2 * table_blocks * kernels_.lut_width * kernels_.element);
    double misses = 0;
    for (double size = tables; size > 32768 && misses < 4; size /= 2) ++misses;
    const double build = columns * stages() * words * real(tasks) *
                         (costs_.build * real(format_.cols) + costs_.entry * real(format_.blocks()));
    const double look_up =
        columns * (costs_.look_up + costs_.distant * misses) * real(shape_.rows * format_.row_codes());
    const bool listed = words < real(format_.codewords);
    const double namings =
        real(format_.row_codes()) * std::ceil(real(shape_.columns) / naming_columns(real(shape_.rows)));
    const double naming = listed ? namings * (costs_.name_code * real(shape_.rows) + 1.5 * words) : 0;
    return (std::max)(build, look_up) + (1 - costs_.hidden) * (std::min)(build, look_up) + naming + move(tasks);
  }
  [[nodiscard]] double winograd(std::size_t tile) const noexcept {
    const std::size_t tiles = shape_.winograd_tiles[tile / 4], channels = format_.cols / 9;
    const std::size_t which = tile / 4 + 2 * (shape_.stride - 1);
    const std::size_t panel = (std::min)(kernels_.panel, round_up(tiles, kernels_.lanes));
    const std::size_t positions = winograd_positions(tile, shape_.stride);
    const std::size_t few = kernels_.strips && tile == 4 && shape_.stride == 1 && tiles > 0
                                ? tiles_in_strips(tiles - (ceil_div(tiles, panel) - 1) * panel, kernels_.lanes)
                                : 0;
    double vectors_in_strips = 0;
    for (std::size_t part = 0; few > 0 && part < strip_parts(kernels_.lanes); ++part)
      vectors_in_strips += real(strip_part_vectors(part, few, kernels_.lanes));
    const std::size_t tasks =
        ceil_div(shape_.rows * panel * positions * kernels_.element, winograd_task_bytes(shape_.stride));
    return stages() * real(shape_.rows * channels) *
               (real(positions) * multiply(tiles - few, costs_.single) + vectors_in_strips * costs_.strip) +
           real(vectors(tiles)) *
               (costs_.transform_in[which] * real(channels * tasks) + costs_.transform_out[which] * real(shape_.rows));
  }
  [[nodiscard]] double depthwise() const noexcept {
    return real(vectors(shape_.columns)) *
           (costs_.filter * real(shape_.rows * format_.cols) + costs_.store * real(shape_.rows) + costs_.pack);
  }
  /// What a convolution takes to become a matrix of few columns.
  [[nodiscard]] double reading() const noexcept {
    return shape_.convolution ? 3 * real(format_.cols * shape_.columns) : 0;
  }
  /// Decoding, two columns at a time.
  [[nodiscard]] double gemv() const noexcept {
    const codeword_vectors vectors = split_codeword(format_.block_size, kernels_.lanes, kernels_.element == 4);
    const double codes = real(format_.codes());
    // A codebook beyond the first-level cache comes from the second.
    const bool large = format_.codewords * vectors.size() * kernels_.element > 24 * 1024;
    const double misses = large ? 0.7 * real(ceil_div(vectors.size(), 16)) : 0;
    return real(ceil_div(shape_.columns, 2)) * codes * (costs_.decode_code + misses) +
           real(shape_.columns) *
               (codes * real(vectors.full) * costs_.decode_vector + real(format_.rows) * costs_.decode_row);
  }
  /// Tables cost codewords x columns of the matrix once: they pay where rows are many.
  [[nodiscard]] double gemv_table(gemm_path path) const noexcept {
    const std::size_t entries = table_entries(format_.codewords);
    const double planes = real(ceil_div(entries, 64));
    const bool few = format_.codewords <= (kernels_.lanes == 16 ? 32 : 16);
    double each = few ? costs_.exact_code : costs_.exact_base + costs_.exact_plane * planes;
    if (path == gemm_path::lut16)
      each = format_.codewords <= 16 ? costs_.lut16_few : costs_.lut16_code + costs_.lut16_plane * (planes - 1);
    const double build = real(ceil_div(entries, kernels_.lanes) * format_.block_size) * costs_.build_product +
                         real(entries) * costs_.build_entry;
    const double moves = 3 * real(format_.cols) + 5 * real(format_.rows);  // a column in, a column out
    return real(shape_.columns) * (real(format_.codes()) * each + real(format_.row_codes()) * build + moves);
  }

  const code_format& format_;
  const product_shape& shape_;
  const kernel_shape& kernels_;
  const path_costs& costs_;
};

}  // namespace detail

/// Cycles, roughly, of a product along a path that serves it. Every path is the sum of what it multiplies or looks up
/// and of what it moves; see detail::cost_model.
[[nodiscard]] inline double path_cost(gemm_path path, const code_format& format, const product_shape& shape,
                                      const kernel_shape& kernels, const path_costs& costs) noexcept {
  return detail::cost_model(format, shape, kernels, costs).of(path);
}

}  // namespace v1
}  // namespace bitpq
