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

/// Panels of the right operand, packed side by side or where they lie, in rows of input_ld elements, and the sums (a
/// row of ld elements per row of weights) that the product is added to, or written to where `accumulate` is not set. Of
/// either `columns` are live.
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
  /// Half the columns of a table where that is wide: a task may take as few.
  [[nodiscard]] std::size_t panel() const noexcept { return 2 * kernels().lanes; }
  /// Whole tables, and long runs of columns are packed and stored faster; the sums are to stay in the second-level
  /// cache, and so are the inputs, of which a long block may take many.
  [[nodiscard]] std::size_t max_panels() const noexcept {
    const std::size_t most = (std::max)((std::min)(w_->rows(), max_rows()), max_depth());
    const std::size_t each = width() / panel();
    return each * std::clamp((std::size_t{1} << 18) / (most * width() * sizeof(T)), std::size_t{1}, 4 / each);
  }
  [[nodiscard]] static constexpr std::size_t max_rows() noexcept { return table_task_rows; }
  /// Packing, and building tables: d multiply-adds per codeword, each about two thirds of a look-up.
  [[nodiscard]] std::size_t overhead_rows() const noexcept {
    return 8 + static_cast<std::size_t>(w_->words_per_block()) * w_->format().block_size * 2 / 3;
  }
  [[nodiscard]] std::size_t depth_end(std::size_t k0) const noexcept {
    return end_of_run(w_->format(), k0, blocks_of(w_->format(), depth_target));
  }
  [[nodiscard]] std::size_t max_depth() const noexcept {
    return blocks_of(w_->format(), depth_target) * w_->format().block_size;
  }
  [[nodiscard]] std::size_t work_size() const noexcept { return 2 * blocks_each() * table_size() + entries_size(); }

  void add(const weight_range& at, const panel_product<T>& to, T* scratch) const noexcept {
    const std::size_t first = at.k0 / w_->format().block_size;
    w_->with_codes(first, at.row, [&]<class Code>(const Code* codes) { look_up(at, to, scratch, codes); });
  }

  /// Elements of one table.
  [[nodiscard]] std::size_t table_size() const noexcept { return w_->words_at_most() * width(); }

 private:
  static constexpr std::size_t depth_target = 512, run_bytes = std::size_t{1} << 18;

  /// Columns of a table. A step of building a wide one loads half as much per multiply-add as it does of a narrow one,
  /// which leaves loads for looking up; a narrow one is for many rows or many codewords: their sums are loaded less
  /// often if the tables of more blocks fit. With several stages the order of additions depends on how many do, which
  /// is to be the same on all cores.
  [[nodiscard]] std::size_t width() const noexcept {
    const double build = w_->words_per_block() * static_cast<double>(w_->format().block_size);
    const bool fit = 4 * w_->words_at_most() * kernels().lut_width * sizeof(T) <= run_bytes;
    const double from = w_->format().stages > 1 ? common_wide_tables : w_->costs().wide_tables;
    return fit && from * static_cast<double>(w_->rows()) <= build ? kernels().lut_width : panel();
  }
  /// Blocks whose tables are built while the tables of as many are read: both together take about twice run_bytes.
  [[nodiscard]] std::size_t blocks_each() const noexcept {
    const std::size_t bytes = table_size() * sizeof(T), fitting = run_bytes / bytes;
    const bool many_rows = w_->rows() >= 8 * w_->format().codewords;
    const std::size_t wanted = bytes <= 4096 && many_rows ? small_table_blocks : table_blocks;
    return std::clamp(fitting, std::size_t{1}, wanted);
  }
  /// Codes of all blocks of a run of columns, as entries of their tables.
  [[nodiscard]] std::size_t entries_stride() const noexcept {
    return round_up((std::min)(w_->rows(), max_rows()), buffer_alignment);
  }
  [[nodiscard]] std::size_t entries_size() const noexcept {
    return w_->template used<std::uint8_t>().shared()
               ? 0
               : ceil_div(entries_stride() * w_->format().stages * max_depth() / w_->format().block_size, sizeof(T));
  }

  /// The entries that codes name, in `memory`, where tables hold only codewords in use.
  const std::uint8_t* entries(const weight_range& at, const std::uint8_t* codes, std::uint8_t* memory) const noexcept {
    const code_format& format = w_->format();
    const std::size_t first = at.k0 / format.block_size, blocks = ceil_div(at.k1 - at.k0, format.block_size);
    for (std::size_t stage = 0; stage < format.stages; ++stage)
      for (std::size_t j = 0; j < blocks; ++j)
        kernels().name_entries(w_->template used<std::uint8_t>().entries_of(format.position(stage, first + j)).data(),
                               codes + format.position(stage, j) * w_->code_stride(), at.rows,
                               memory + (stage * blocks + j) * entries_stride());
    return memory;
  }

  /// Panel after panel, run after run, stage after stage: builds the tables of one while those of the one before are
  /// read.
  template <class Code>
  void look_up(const weight_range& at, const panel_product<T>& to, T* scratch, const Code* codes) const noexcept {
    const code_format& format = w_->format();
    const used_words<Code>& used = w_->template used<Code>();
    const std::size_t d = format.block_size, first = at.k0 / d, depth_each = blocks_each() * d;
    T* next = scratch;
    T* ready = next + blocks_each() * table_size();
    std::size_t code_stride = w_->code_stride(), stage_stride = format.blocks() * code_stride;
    if constexpr (sizeof(Code) == 1)
      if (!used.shared()) {
        codes = entries(at, codes, reinterpret_cast<Code*>(ready + blocks_each() * table_size()));
        code_stride = entries_stride();
        stage_stride = ceil_div(at.k1 - at.k0, d) * code_stride;
      }
    lut_look_up<T, Code> from{};
    const auto step = [&](std::size_t stage, std::size_t columns, const lut_build<T, Code>& build) {
      const T* const book = w_->book(format.book_of(stage, first));
      kernels().template on<Code>().lut_step({book, d, d, used.entries(), width(), columns}, from, build);
    };
    std::size_t columns = 0;  // of the panel that is looked up
    for (std::size_t column = 0; column < to.columns; column += width())
      for (std::size_t k = at.k0; k < at.k1; k += depth_each)
        for (std::size_t stage = 0; stage < format.stages; ++stage) {
          const std::size_t depth = (std::min)(depth_each, at.k1 - k), j = (k - at.k0) / d;
          const std::size_t live = (std::min)(width(), to.columns - column);
          step(stage, (std::max)(columns, live),
               {to.inputs + (k - at.k0) * to.ld + column, to.ld, next, depth, used.words(),
                used.lists(format.position(stage, first + j))});
          from = {next,
                  codes + stage * stage_stride + j * code_stride,
                  code_stride,
                  to.sums + column,
                  to.ld,
                  at.rows,
                  ceil_div(depth, d),
                  to.accumulate || k > at.k0 || stage > 0};
          columns = live;
          std::swap(next, ready);
        }
    step(0, columns, {to.inputs, to.ld, next, 0, used.words(), nullptr});
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
