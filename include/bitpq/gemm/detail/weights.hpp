// SPDX-License-Identifier: Apache-2.0
#pragma once

// The left operand of a product, in the three forms that panels are multiplied with. Each adds, to the sums of some
// rows, the product of a run of its columns with packed panels of the right operand:
//
//   rows_per_task, panels_per_task  how much of the product one task takes
//   depth_end(k0)                   where the run of columns that begins at k0 ends; at most max_depth() further
//   scratch()                       elements of scratch that add needs
//   add(weights, panels, scratch)
//
// The sums of one element are always formed in the order of the columns.

#include <bitpq/gemm/prepack.hpp>

#include <algorithm>

namespace bitpq {
inline namespace v1 {
namespace detail {

/// Rows [row, row + rows) and columns [k0, k1) of the left operand, with k1 = depth_end(k0).
struct weight_range {
  std::size_t row, rows, k0, k1;
};

/// Panels of the right operand, `count` of them, and the sums that their products are added to: panel p of the run
/// begins at inputs + p * input_stride, its sums (a row of panel_width elements per row of weights) at
/// sums + p * sums_stride.
template <scalar T>
struct panel_run {
  std::size_t count;
  const T* inputs;
  std::size_t input_stride;
  T* sums;
  std::size_t sums_stride;
};

/// Columns of a run: four panels of them, as the right operand of a task, take about 400 KB of the second-level cache.
inline constexpr std::size_t depth_target = 768;

/// The end of a run of at most `max_blocks` blocks that begins at column k0, cut where its codebook ends.
inline std::size_t end_of_run(const code_format& format, std::size_t k0, std::size_t max_blocks) noexcept {
  const std::size_t first = k0 / format.block_size;
  const std::size_t book_end = (format.codebook_of(first) + 1) * format.blocks_per_codebook();
  const std::size_t last = (std::min)({first + max_blocks, book_end, format.blocks()});
  return (std::min)(last * format.block_size, format.cols);
}

/// Codes decoded, a few rows at a time, into scratch that the dense micro-kernel reads.
template <scalar T>
class decoded_weights {
 public:
  /// Several panels share a decoded tile; few rows keep enough tasks for threads, and packing again costs little.
  static constexpr std::size_t rows_per_task = 384, panels_per_task = 4;

  explicit decoded_weights(const prepacked_matrix<T>& w) noexcept : w_(&w) {}

  [[nodiscard]] const kernel_table<T>& kernels() const noexcept { return w_->kernels(); }
  [[nodiscard]] std::size_t cols() const noexcept { return w_->cols(); }
  [[nodiscard]] std::size_t depth_end(std::size_t k0) const noexcept {
    return end_of_run(w_->format(), k0, max_blocks());
  }
  [[nodiscard]] std::size_t max_depth() const noexcept { return max_blocks() * w_->format().block_size; }
  [[nodiscard]] std::size_t scratch() const noexcept { return tile_rows * leading(); }

  void add(const weight_range& at, const panel_run<T>& panels, T* scratch) const noexcept {
    const std::size_t d = w_->format().block_size, first = at.k0 / d, blocks = ceil_div(at.k1 - at.k0, d);
    const T* const book = w_->book(w_->format().codebook_of(first));
    for (std::size_t r = 0; r < at.rows; r += tile_rows) {
      const std::size_t rows = (std::min)(tile_rows, at.rows - r);
      w_->with_codes(first, at.row + r, [&]<class Code>(const Code* codes) {
        kernels().template on<Code>().decode_rows(book, w_->book_stride(), codes, w_->code_stride(), scratch, leading(),
                                                  rows, blocks, d);
      });
      for (std::size_t p = 0; p < panels.count; ++p)
        kernels().gemm_panel(scratch, static_cast<std::ptrdiff_t>(leading()), panels.inputs + p * panels.input_stride,
                             panels.sums + p * panels.sums_stride + r * kernels().panel,
                             static_cast<std::ptrdiff_t>(kernels().panel), rows, at.k1 - at.k0, true);
    }
  }

 private:
  static constexpr std::size_t tile_rows = 12;  // a multiple of every register tile but NEON's, which takes 8 + 4

  [[nodiscard]] std::size_t max_blocks() const noexcept {
    return (std::max)(std::size_t{1}, depth_target / w_->format().block_size);
  }
  /// Row stride of the decoded tile; the copies of a row's last codeword may run a vector past its end, and a stride
  /// of an odd number of vectors keeps the rows out of each other's cache sets.
  [[nodiscard]] std::size_t leading() const noexcept {
    const std::size_t lanes = kernels().lanes;
    return (ceil_div(max_depth(), lanes) + 1) / 2 * 2 * lanes + lanes;
  }

  const prepacked_matrix<T>* w_;
};

/// Tables of codeword products: the panel is multiplied with the codebook, after which a code costs one addition.
template <scalar T>
class tabulated_weights {
 public:
  /// A table costs codewords / rows of the dense product, so it is to serve many rows.
  static constexpr std::size_t rows_per_task = 2048, panels_per_task = 1;

  explicit tabulated_weights(const prepacked_matrix<T>& w) noexcept : w_(&w) {}

  [[nodiscard]] const kernel_table<T>& kernels() const noexcept { return w_->kernels(); }
  [[nodiscard]] std::size_t cols() const noexcept { return w_->cols(); }
  [[nodiscard]] std::size_t depth_end(std::size_t k0) const noexcept {
    return end_of_run(w_->format(), k0, max_blocks());
  }
  [[nodiscard]] std::size_t max_depth() const noexcept { return max_blocks() * w_->format().block_size; }
  [[nodiscard]] std::size_t scratch() const noexcept { return max_blocks() * table_size(); }

  void add(const weight_range& at, const panel_run<T>& panels, T* scratch) const noexcept {
    const code_format& format = w_->format();
    const std::size_t d = format.block_size, first = at.k0 / d, blocks = ceil_div(at.k1 - at.k0, d);
    const T* const book = w_->book(format.codebook_of(first));
    for (std::size_t j = 0; j < blocks; ++j)
      kernels().gemm_panel(book, static_cast<std::ptrdiff_t>(w_->book_stride()),
                           panels.inputs + j * d * kernels().panel, scratch + j * table_size(),
                           static_cast<std::ptrdiff_t>(kernels().panel), format.codewords, format.width_of(first + j),
                           false);
    w_->with_codes(first, at.row, [&]<class Code>(const Code* codes) {
      kernels().template on<Code>().lut_add(scratch, format.codewords, codes, w_->code_stride(), panels.sums, at.rows,
                                            blocks);
    });
  }

 private:
  [[nodiscard]] std::size_t table_size() const noexcept { return w_->format().codewords * kernels().panel; }
  /// Tables of all blocks of a run take at most about 512 KB: the second-level cache.
  [[nodiscard]] std::size_t max_blocks() const noexcept {
    const std::size_t fitting = (std::size_t{1} << 19) / (table_size() * sizeof(T));
    return (std::max)(std::size_t{1}, (std::min)(fitting, std::size_t{16}));
  }

  const prepacked_matrix<T>* w_;
};

/// Weights that a host left uncompressed, rows contiguous.
template <scalar T>
class dense_weights {
 public:
  static constexpr std::size_t rows_per_task = 384, panels_per_task = 4;

  dense_weights(matrix_view<const T> w, const kernel_table<T>& kernels) noexcept : w_(w), kernels_(&kernels) {}

  [[nodiscard]] const kernel_table<T>& kernels() const noexcept { return *kernels_; }
  [[nodiscard]] std::size_t cols() const noexcept { return w_.cols(); }
  [[nodiscard]] std::size_t depth_end(std::size_t k0) const noexcept { return (std::min)(k0 + max_depth(), cols()); }
  [[nodiscard]] static constexpr std::size_t max_depth() noexcept { return depth_target; }
  [[nodiscard]] static constexpr std::size_t scratch() noexcept { return 0; }

  void add(const weight_range& at, const panel_run<T>& panels, T* /*scratch*/) const noexcept {
    for (std::size_t p = 0; p < panels.count; ++p)
      kernels_->gemm_panel(&w_(at.row, at.k0), w_.stride(0), panels.inputs + p * panels.input_stride,
                           panels.sums + p * panels.sums_stride, static_cast<std::ptrdiff_t>(kernels_->panel), at.rows,
                           at.k1 - at.k0, true);
  }

 private:
  matrix_view<const T> w_;
  const kernel_table<T>* kernels_;
};

}  // namespace detail
}  // namespace v1
}  // namespace bitpq
