// SPDX-License-Identifier: Apache-2.0
#pragma once

// The loop nest that every product shares: tasks of a few panels of columns and a run of rows; in a task, for each run
// of the depth, pack the panels, add the weights' product to the sums; at the end, store. How columns are read and
// outputs written is the caller's; how weights are read is weights.hpp's. Tasks are cut by shapes alone, so that
// results do not depend on the number of threads.

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

/// pack(group, k0, k1, column, n, dst, ld) writes rows [k0, k1) of columns column .. column + n of the right operand to
/// dst[(k - k0) * ld + lane]. store(group, row, rows, column, n, sums) takes finished sums, rows x panel. Weights of
/// group g are rows g * rows onwards. Throws out_of_memory before anything is written.
template <scalar T, class Weights, class Pack, class Store>
void multiply_panels(const Weights& w, const product_extent& extent, const Pack& pack, const Store& store,
                     executor_ref exec) {
  const std::size_t panel = w.kernels().panel, columns_each = Weights::panels_per_task * panel;
  const std::size_t rows_each = (std::min)(extent.rows, Weights::rows_per_task);
  const std::size_t row_tasks = ceil_div(extent.rows, rows_each);
  const std::size_t column_tasks = ceil_div(extent.columns, columns_each);
  const std::size_t most_panels = (std::min)(Weights::panels_per_task, ceil_div(extent.columns, panel));
  const std::size_t input_stride = (std::min)(w.max_depth(), w.cols()) * panel, sums_stride = rows_each * panel;
  const std::size_t scratch_size = most_panels * (input_stride + sums_stride) + w.scratch();
  std::vector<aligned_buffer<T>> scratch(exec.concurrency());
  for (aligned_buffer<T>& s : scratch) s = aligned_buffer<T>(scratch_size);

  exec.bulk(extent.groups * row_tasks * column_tasks, [&](std::size_t worker, std::size_t task) {
    const std::size_t group = task / (row_tasks * column_tasks);
    const std::size_t row = task / column_tasks % row_tasks * rows_each;
    const std::size_t rows = (std::min)(rows_each, extent.rows - row);
    const std::size_t first = task % column_tasks * columns_each;
    const std::size_t panels = (std::min)(most_panels, ceil_div(extent.columns - first, panel));
    const auto columns_of = [&](std::size_t p) { return (std::min)(panel, extent.columns - first - p * panel); };
    T* const inputs = scratch[worker].data();
    T* const sums = inputs + most_panels * input_stride;
    std::fill_n(sums, panels * sums_stride, T{0});
    if (columns_of(panels - 1) < panel)  // lanes beyond the last column
      std::fill_n(inputs + (panels - 1) * input_stride, input_stride, T{0});
    for (std::size_t k0 = 0; k0 < w.cols();) {
      const std::size_t k1 = w.depth_end(k0);
      for (std::size_t p = 0; p < panels; ++p)
        pack(group, k0, k1, first + p * panel, columns_of(p), inputs + p * input_stride, panel);
      w.add({group * extent.rows + row, rows, k0, k1}, panel_run<T>{panels, inputs, input_stride, sums, sums_stride},
            sums + most_panels * sums_stride);
      k0 = k1;
    }
    for (std::size_t p = 0; p < panels; ++p)
      store(group, row, rows, first + p * panel, columns_of(p), sums + p * sums_stride);
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
