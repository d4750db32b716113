// SPDX-License-Identifier: Apache-2.0
#pragma once

// The loop nest that every product shares: tasks of one panel of columns and one run of rows; in a task, for each run
// of the depth, pack the panel, add the weights' product to the sums; at the end, store. How columns are read and
// outputs written is the caller's; how weights are read is weights.hpp's.

#include <bitpq/core/executor.hpp>
#include <bitpq/gemm/detail/weights.hpp>
#include <bitpq/gemm/plan.hpp>

namespace bitpq {
inline namespace v1 {
namespace detail {

/// The extent of a product: `groups` products of rows x cols() weights with cols() x columns inputs.
struct product_extent {
  std::size_t groups, rows, columns;
};

/// Rows of a task: enough that a table built for them pays (its cost is codewords / rows of a dense product), few
/// enough that their sums stay in the second-level cache. Depends on shapes alone, so that results do not depend on
/// the number of threads.
inline constexpr std::size_t rows_per_task = 2048;

/// pack(group, k0, k1, column, n, dst, ld) writes rows [k0, k1) of columns column .. column + n of the right operand to
/// dst[(k - k0) * ld + lane]. store(group, row, rows, column, n, sums) takes finished sums, rows x panel. Weights of
/// group g are rows g * rows onwards. Throws out_of_memory before anything is written.
template <scalar T, class Weights, class Pack, class Store>
void multiply_panels(const Weights& w, const product_extent& extent, const Pack& pack, const Store& store,
                     executor_ref exec) {
  const std::size_t panel = w.kernels().panel;
  const std::size_t row_tasks = ceil_div(extent.rows, rows_per_task), column_tasks = ceil_div(extent.columns, panel);
  const std::size_t rows_each = (std::min)(extent.rows, rows_per_task);
  const std::size_t input_size = (std::min)(w.max_depth(), w.cols()) * panel;
  const std::size_t scratch_size = input_size + rows_each * panel + w.scratch();
  std::vector<aligned_buffer<T>> scratch(exec.concurrency());
  for (aligned_buffer<T>& s : scratch) s = aligned_buffer<T>(scratch_size);

  exec.bulk(extent.groups * row_tasks * column_tasks, [&](std::size_t worker, std::size_t task) {
    const std::size_t group = task / (row_tasks * column_tasks);
    const std::size_t row = task / column_tasks % row_tasks * rows_per_task;
    const std::size_t rows = (std::min)(rows_per_task, extent.rows - row);
    const std::size_t column = task % column_tasks * panel, n = (std::min)(panel, extent.columns - column);
    T* const input = scratch[worker].data();
    T* const sums = input + input_size;
    T* const weights_scratch = sums + rows_each * panel;
    std::fill_n(sums, rows * panel, T{0});
    if (n < panel) std::fill_n(input, input_size, T{0});  // lanes beyond the last column
    for (std::size_t k0 = 0; k0 < w.cols();) {
      const std::size_t k1 = w.depth_end(k0);
      pack(group, k0, k1, column, n, input, panel);
      w.add({group * extent.rows + row, rows, k0, k1}, input, sums, weights_scratch);
      k0 = k1;
    }
    store(group, row, rows, column, n, sums);
  });
}

/// Chooses the form of compressed weights by the path of a plan.
template <scalar T, class Pack, class Store>
void multiply_panels(const prepacked_matrix<T>& w, gemm_path path, const product_extent& extent, const Pack& pack,
                     const Store& store, executor_ref exec) {
  if (path == gemm_path::lut)
    multiply_panels<T>(tabulated_weights<T>(w), extent, pack, store, exec);
  else
    multiply_panels<T>(decoded_weights<T>(w), extent, pack, store, exec);
}

}  // namespace detail
}  // namespace v1
}  // namespace bitpq
