// SPDX-License-Identifier: Apache-2.0
#pragma once

// The left operand of a product, in the three forms that panels are multiplied with. Each adds, to the sums of some
// rows, the product of a run of its columns with packed panels of the right operand:
//
//   panel(), max_panels()    columns of a panel, and how many panels one task takes at most
//   max_rows()               the rows that one task takes at most
//   overhead_rows()          what a task does whatever its rows, in the time that a row takes
//   depth_end(k0)            where the run of columns that begins at k0 ends; at most max_depth() further
//   input, sum, work         types of the elements of packed panels, of sums and of scratch
//   work_size()              elements of scratch that add needs
//   add(weights, panels, scratch), or add(weights, panels, traffic) where `stores`: traffic(column, n) says what moves
//       while the product of a panel's columns from `column` on is added for the last time in a run of the depth
//
// The sums of one element are always formed in the order of the columns, and in a run of them stage by stage.

#include <bitpq/gemm/detail/depth_runs.hpp>
#include <bitpq/gemm/detail/task_sizes.hpp>
#include <bitpq/gemm/prepack.hpp>

#include <algorithm>

namespace bitpq {
inline namespace v1 {
namespace detail {

/// Rows [row, row + rows) and columns [k0, k1) of the left operand, with k1 = depth_end(k0).
struct weight_range {
  std::size_t row, rows, k0, k1;
};

/// Panels of the right operand, packed side by side, and the sums (a row of them per row of weights) that the product
/// is added to, or written to where `accumulate` is not set. Both have rows of ld elements, of which `columns` are
/// live.
template <class Input, class Sum = Input>
struct panel_product {
  const Input* inputs;
  Sum* sums;
  std::size_t ld, columns;
  bool accumulate;
  std::size_t input_ld;
};

/// Columns of a run that is multiplied directly: a panel of them takes about 100 KB of the second-level cache.
inline constexpr std::size_t direct_depth = 384;
/// Bytes of inputs that are packed at once.
inline constexpr std::size_t direct_inputs = std::size_t{160} << 10;

/// What weights that the micro-kernel reads where they are have in common.
template <scalar T>
class direct_weights {
 public:
  using input = T;
  using sum = T;
  using work = T;
  static constexpr bool stores = true;

  [[nodiscard]] const kernel_table<T>& kernels() const noexcept { return *kernels_; }
  [[nodiscard]] std::size_t panel() const noexcept { return kernels_->panel; }
  /// Where the depth is short: panels then share what a convolution's windows hold.
  [[nodiscard]] std::size_t max_panels_of(std::size_t depth) const noexcept {
    return std::clamp(direct_inputs / ((depth + 1) * panel() * sizeof(T)), std::size_t{1}, std::size_t{4});
  }
  [[nodiscard]] static constexpr std::size_t max_rows() noexcept { return direct_task_rows; }
  /// Packing.
  [[nodiscard]] static constexpr std::size_t overhead_rows() noexcept { return 8; }
  [[nodiscard]] static constexpr std::size_t work_size() noexcept { return 0; }

 protected:
  explicit direct_weights(const kernel_table<T>& kernels) noexcept : kernels_(&kernels) {}

 private:
  const kernel_table<T>* kernels_;
};

/// Codes, read in the codebooks.
template <scalar T>
class coded_weights : public direct_weights<T> {
 public:
  explicit coded_weights(const prepacked_matrix<T>& w) noexcept : direct_weights<T>(w.kernels()), w_(&w) {}

  [[nodiscard]] std::size_t cols() const noexcept { return w_->cols(); }
  [[nodiscard]] std::size_t max_panels() const noexcept { return this->max_panels_of((std::min)(max_depth(), cols())); }
  [[nodiscard]] std::size_t depth_end(std::size_t k0) const noexcept {
    return end_of_run(w_->format(), k0, blocks_of(w_->format(), direct_depth));
  }
  [[nodiscard]] std::size_t max_depth() const noexcept {
    return blocks_of(w_->format(), direct_depth) * w_->format().block_size;
  }

  template <class Traffic>
  void add(const weight_range& at, const panel_product<T>& to, const Traffic& traffic) const noexcept {
    const std::size_t last = w_->format().stages - 1, panel = this->panel();
    for (std::size_t column = 0; column < to.columns; column += panel) {
      const std::size_t n = (std::min)(panel, to.columns - column);
      for (std::size_t stage = 0; stage < last; ++stage) add_stage(stage, at, to, column, n, {});
      add_stage(last, at, to, column, n, traffic(column, n));
    }
  }

 private:
  void add_stage(std::size_t stage, const weight_range& at, const panel_product<T>& to, std::size_t column,
                 std::size_t n, const panel_traffic<T>& traffic) const noexcept {
    const code_format& format = w_->format();
    const std::size_t d = format.block_size, first = at.k0 / d;
    w_->with_codes(format.position(stage, first), at.row, [&]<class Code>(const Code* codes) {
      w_->kernels().template on<Code>().code_traffic(w_->book(format.book_of(stage, first)), d, codes,
                                                     w_->code_stride(), to.inputs + column, to.input_ld,
                                                     to.sums + column, static_cast<std::ptrdiff_t>(to.ld), at.rows, n,
                                                     at.k1 - at.k0, d, to.accumulate || stage > 0, traffic);
    });
  }

  const prepacked_matrix<T>* w_;
};

/// Tables of codeword products: the panel is multiplied with the codebook, after which a code costs one addition.
template <scalar T>
class tabulated_weights {
 public:
  using input = T;
  using sum = T;
  using work = T;
  static constexpr bool stores = false;

  explicit tabulated_weights(const prepacked_matrix<T>& w) noexcept : w_(&w) {}

  [[nodiscard]] const kernel_table<T>& kernels() const noexcept { return w_->kernels(); }
  [[nodiscard]] std::size_t cols() const noexcept { return w_->cols(); }
  [[nodiscard]] std::size_t panel() const noexcept { return kernels().lut_width; }
  /// Long runs of columns are packed and stored faster; the sums are to stay in the second-level cache, and so are the
  /// inputs, of which a long block may take many.
  [[nodiscard]] std::size_t max_panels() const noexcept {
    const std::size_t most = (std::max)((std::min)(w_->rows(), max_rows()), max_depth());
    return std::clamp((std::size_t{1} << 18) / (most * panel() * sizeof(T)), std::size_t{1}, std::size_t{4});
  }
  [[nodiscard]] static constexpr std::size_t max_rows() noexcept { return table_task_rows; }
  /// Packing, and building tables: d multiply-adds per codeword, each about two thirds of a look-up.
  [[nodiscard]] std::size_t overhead_rows() const noexcept {
    return 8 + w_->format().codewords * w_->format().block_size * 2 / 3;
  }
  [[nodiscard]] std::size_t depth_end(std::size_t k0) const noexcept {
    return end_of_run(w_->format(), k0, blocks_of(w_->format(), depth_target));
  }
  [[nodiscard]] std::size_t max_depth() const noexcept {
    return blocks_of(w_->format(), depth_target) * w_->format().block_size;
  }
  [[nodiscard]] std::size_t work_size() const noexcept { return 2 * blocks_each() * table_size(); }

  void add(const weight_range& at, const panel_product<T>& to, T* scratch) const noexcept {
    const std::size_t first = at.k0 / w_->format().block_size;
    w_->with_codes(first, at.row, [&]<class Code>(const Code* codes) { look_up(at, to, scratch, codes); });
  }

  /// Elements of one table.
  [[nodiscard]] std::size_t table_size() const noexcept { return w_->format().codewords * panel(); }

 private:
  static constexpr std::size_t depth_target = 512;

  /// Blocks whose tables are built while the tables of as many are read: both together take at most about 512 KB.
  [[nodiscard]] std::size_t blocks_each() const noexcept {
    const std::size_t bytes = table_size() * sizeof(T), fitting = (std::size_t{1} << 18) / bytes;
    const bool many_rows = w_->rows() >= 8 * w_->format().codewords;
    const std::size_t wanted = bytes <= 4096 && many_rows ? small_table_blocks : table_blocks;
    return std::clamp(fitting, std::size_t{1}, wanted);
  }

  /// Panel after panel, run after run, stage after stage: builds the tables of one while those of the one before are
  /// read.
  template <class Code>
  void look_up(const weight_range& at, const panel_product<T>& to, T* scratch, const Code* codes) const noexcept {
    const code_format& format = w_->format();
    const std::size_t d = format.block_size, depth_each = blocks_each() * d;
    T* next = scratch;
    T* ready = scratch + blocks_each() * table_size();
    lut_look_up<T, Code> from{};
    const auto step = [&](std::size_t stage, std::size_t columns, const lut_build<T>& build) {
      const T* const book = w_->book(format.book_of(stage, at.k0 / d));
      kernels().template on<Code>().lut_step(book, d, format.codewords, d, columns, from, build);
    };
    std::size_t columns = 0;  // of the panel that is looked up
    for (std::size_t column = 0; column < to.columns; column += panel())
      for (std::size_t k = at.k0; k < at.k1; k += depth_each)
        for (std::size_t stage = 0; stage < format.stages; ++stage) {
          const std::size_t depth = (std::min)(depth_each, at.k1 - k);
          const std::size_t live = (std::min)(panel(), to.columns - column);
          step(stage, (std::max)(columns, live), {to.inputs + (k - at.k0) * to.ld + column, to.ld, next, depth});
          from = {next,
                  codes + format.position(stage, (k - at.k0) / d) * w_->code_stride(),
                  w_->code_stride(),
                  to.sums + column,
                  to.ld,
                  at.rows,
                  ceil_div(depth, d),
                  to.accumulate || k > at.k0 || stage > 0};
          columns = live;
          std::swap(next, ready);
        }
    step(0, columns, {to.inputs, to.ld, next, 0});
  }

  const prepacked_matrix<T>* w_;
};

/// Weights that a host left uncompressed, rows contiguous.
template <scalar T>
class dense_weights : public direct_weights<T> {
 public:
  dense_weights(matrix_view<const T> w, const kernel_table<T>& kernels) noexcept : direct_weights<T>(kernels), w_(w) {}

  [[nodiscard]] std::size_t cols() const noexcept { return w_.cols(); }
  [[nodiscard]] std::size_t max_panels() const noexcept { return this->max_panels_of((std::min)(max_depth(), cols())); }
  [[nodiscard]] std::size_t depth_end(std::size_t k0) const noexcept { return (std::min)(k0 + max_depth(), cols()); }
  [[nodiscard]] static constexpr std::size_t max_depth() noexcept { return direct_depth; }

  template <class Traffic>
  void add(const weight_range& at, const panel_product<T>& to, const Traffic& traffic) const noexcept {
    const std::size_t panel = this->panel();
    for (std::size_t column = 0; column < to.columns; column += panel) {
      const std::size_t n = (std::min)(panel, to.columns - column);
      this->kernels().gemm_traffic(&w_(at.row, at.k0), w_.stride(0), to.inputs + column, to.input_ld, to.sums + column,
                                   static_cast<std::ptrdiff_t>(to.ld), at.rows, n, at.k1 - at.k0, to.accumulate,
                                   traffic(column, n));
    }
  }

 private:
  matrix_view<const T> w_;
};

}  // namespace detail
}  // namespace v1
}  // namespace bitpq
