// SPDX-License-Identifier: Apache-2.0
#pragma once

// How the fused gradient is cut into tasks, and one of them: some columns and some block positions.

#include <bitpq/core/aligned_buffer.hpp>
#include <bitpq/kernel/dispatch.hpp>
#include <bitpq/train/detail/code_lists.hpp>
#include <bitpq/train/detail/layer_columns.hpp>

namespace bitpq {
inline namespace v1 {
namespace detail {

/// Columns [first, first + n), and the block positions [begin, end) of all groups, those of a group side by side.
struct gradient_task {
  std::size_t first, n, begin, end;
};

/// Cut by sizes alone, so that threads change no bit.
class gradient_tasks {
 public:
  gradient_tasks(const code_format& format, std::size_t groups, std::size_t columns, std::size_t element_size)
      : columns_(columns), items_(groups * format.blocks()), rows_(format.rows / groups) {
    constexpr std::size_t cache =
        3 * (std::size_t{1} << 18);  // bytes of output gradients that are read again and again
    const std::size_t units = std::clamp(cache / (rows_ * element_size * unit), std::size_t{1}, std::size_t{16});
    const std::size_t chunks = (std::max)(std::size_t{1}, ceil_div(columns, units * unit));
    width_ = round_up(ceil_div(columns, chunks), unit);
    // A task has sums of its own, in double precision: together they take no more than the weights' gradient would.
    const std::size_t codebooks = format.books() * format.codewords * format.block_size;
    const std::size_t tasks = std::clamp(format.rows * format.cols / (2 * codebooks), std::size_t{1}, most_tasks);
    chunks_each_ = ceil_div(ceil_div(columns, width_), tasks);
    column_tasks_ = ceil_div(columns, chunks_each_ * width_);
    items_each_ = ceil_div(items_, (std::min)(items_, (std::max)(std::size_t{1}, tasks / column_tasks_)));
  }

  [[nodiscard]] std::size_t count() const noexcept { return column_tasks_ * ceil_div(items_, items_each_); }
  /// Rows of a group.
  [[nodiscard]] std::size_t rows() const noexcept { return rows_; }
  /// Columns that are packed together.
  [[nodiscard]] std::size_t width() const noexcept { return width_; }

  [[nodiscard]] gradient_task operator[](std::size_t task) const noexcept {
    const std::size_t first = task % column_tasks_ * chunks_each_ * width_, begin = task / column_tasks_ * items_each_;
    return {first, (std::min)(chunks_each_ * width_, columns_ - first), begin, (std::min)(begin + items_each_, items_)};
  }

 private:
  static constexpr std::size_t unit = 32, most_tasks = 16;  // 32: whole vectors of every kernel

  std::size_t columns_, items_, rows_, width_ = 0, chunks_each_ = 0, column_tasks_ = 0, items_each_ = 0;
};

/// What one worker needs.
template <scalar T>
struct gradient_memory {
  const kernel_table<T>* kernels;
  std::size_t run;  ///< blocks whose inputs are packed together
  bool by_lane;     ///< sums are kept as vectors where adding up their lanes takes time
  aligned_buffer<T> outputs, inputs, sums;

  gradient_memory(const pq_matrix<T>& w, const gradient_tasks& tasks) : kernels(&bitpq::kernels<T>()) {
    constexpr std::size_t packed_bytes = std::size_t{1} << 17, most_sums = std::size_t{1} << 20;
    const std::size_t d = w.format().block_size, width = tasks.width(), values = w.book().values().size();
    run = (std::max)(std::size_t{1}, packed_bytes / (d * width * sizeof(T)));
    by_lane =
        !(kernels->quick_lane_sums && gradient_rows(d) % 4 == 0) && values * kernels->lanes * sizeof(T) <= most_sums;
    outputs = aligned_buffer<T>(tasks.rows() * width);
    inputs = aligned_buffer<T>((std::min)(run * d, w.cols()) * width + copy_slack);
    sums = aligned_buffer<T>(values * (by_lane ? kernels->lanes : 1));
  }
};

/// One chunk of columns of one task.
template <scalar T, class Chunk>
class gradient_chunk {
 public:
  gradient_chunk(const pq_matrix<T>& w, const code_lists& lists, Chunk& chunk, gradient_memory<T>& memory)
      : w_(w), lists_(lists), chunk_(chunk), memory_(memory), ld_(round_up(chunk.size(), memory.kernels->lanes)) {}

  /// Adds what the block positions [begin, end) of a group bring.
  void add(std::size_t group, std::size_t begin, std::size_t end, std::size_t rows) const noexcept {
    pack_outputs(group * rows, rows);
    const std::size_t d = w_.format().block_size;
    for (std::size_t j = begin; j < end; ++j) {
      const std::size_t at = (j - begin) % memory_.run;
      if (at == 0)
        chunk_.pack_inputs(group, j * d, (std::min)((std::min)(j + memory_.run, end) * d, w_.cols()),
                           {memory_.inputs.data(), ld_});
      for (std::size_t stage = 0; stage < w_.format().stages; ++stage)
        add_block(lists_(group, w_.format().position(stage, j)), stage, j, memory_.inputs.data() + at * d * ld_);
    }
  }

 private:
  void pack_outputs(std::size_t first, std::size_t rows) const noexcept {
    chunk_.pack_outputs(first, rows, {memory_.outputs.data(), ld_});
    if (w_.scales().empty()) return;
    for (std::size_t r = 0; r < rows; ++r)
      for (std::size_t c = 0; c < ld_; ++c) memory_.outputs[r * ld_ + c] *= w_.scales()[first + r];
  }

  void add_block(const code_list& list, std::size_t stage, std::size_t j, const T* inputs) const noexcept {
    const code_format& f = w_.format();
    const std::size_t book = f.book_of(stage, j) * f.codewords * f.block_size;
    memory_.kernels->add_block_gradient(
        {memory_.outputs.data(), ld_, list.rows, list.ends, list.codes, list.count, inputs, ld_, f.width_of(j), ld_,
         memory_.sums.data() + book * (memory_.by_lane ? memory_.kernels->lanes : 1), f.block_size, memory_.by_lane});
  }

  const pq_matrix<T>& w_;
  const code_lists& lists_;
  Chunk& chunk_;
  gradient_memory<T>& memory_;
  std::size_t ld_;
};

/// Returns the task's share of the gradient, in the layout of the codebook.
template <scalar T, class Columns>
[[nodiscard]] std::vector<double> run_gradient_task(const pq_matrix<T>& w, const code_lists& lists,
                                                    const Columns& columns, const gradient_tasks& tasks,
                                                    const gradient_task& task, gradient_memory<T>& memory) {
  const std::size_t blocks = w.format().blocks(), lanes = memory.by_lane ? memory.kernels->lanes : 1;
  std::vector<double> total(w.book().values().size());
  for (std::size_t c = 0; c < task.n; c += tasks.width()) {
    typename Columns::chunk chunk(columns, task.first + c, (std::min)(tasks.width(), task.n - c));
    const gradient_chunk<T, typename Columns::chunk> products(w, lists, chunk, memory);
    std::fill(memory.sums.begin(), memory.sums.end(), T{0});
    for (std::size_t item = task.begin; item < task.end;) {
      const std::size_t group = item / blocks, end = (std::min)(task.end, (group + 1) * blocks);
      products.add(group, item % blocks, item % blocks + end - item, tasks.rows());
      item = end;
    }
    for (std::size_t i = 0; i < memory.sums.size(); ++i) total[i / lanes] += static_cast<double>(memory.sums[i]);
  }
  return total;
}

}  // namespace detail
}  // namespace v1
}  // namespace bitpq
