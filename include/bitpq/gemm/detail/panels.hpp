// SPDX-License-Identifier: Apache-2.0
#pragma once

// The loop nest that every product shares. A task is a few panels of columns and a run of rows; in a task, for each run
// of the depth, pack the panels, unless they can be read where they lie, and add the weights' product to the sums; at
// the end, store, unless the weights do with their last product. How columns are read and outputs written is the
// caller's; how weights are read is weights.hpp's. An element's sum does not depend on how the rows are cut into tasks,
// so that they may be cut by the number of threads without changing a bit.

#include <bitpq/core/executor.hpp>
#include <bitpq/core/scratch.hpp>
#include <bitpq/gemm/detail/panel_rows.hpp>
#include <bitpq/gemm/detail/weights.hpp>
#include <bitpq/gemm/path.hpp>

#include <utility>

namespace bitpq {
inline namespace v1 {
namespace detail {

/// The extent of a product: `groups` products of rows x cols() weights with cols() x columns inputs.
struct product_extent {
  std::size_t groups, rows, columns;
};

/// Rows of a task: at most `most`; fewer where that lets all threads finish sooner. A task costs its rows and
/// `overhead`, what it does whatever its rows, in rows; `others` tasks share each run of rows.
inline std::size_t rows_of_task(std::size_t rows, std::size_t most, std::size_t overhead, std::size_t others,
                                std::size_t threads) noexcept {
  std::size_t best = 0, least = 0;
  for (std::size_t pieces = ceil_div(rows, most); pieces <= rows; ++pieces) {
    const std::size_t each = ceil_div(rows, pieces), rounds = ceil_div(others * pieces, threads);
    const std::size_t time = rounds * (each + overhead);
    if (best == 0 || time < least) {
      best = each;
      least = time;
    }
    if (others * pieces >= 4 * threads) break;  // enough for balance
  }
  return best;
}

/// Panels of columns, as far as time goes: a last one that is less than half full hardly takes any.
inline std::size_t busy_panels(std::size_t columns, std::size_t panel) noexcept {
  return (std::max)(std::size_t{1}, (columns + panel / 2) / panel);
}

/// Columns of a task: a few panels, but no more than give every thread work.
inline std::size_t columns_of_task(std::size_t columns, std::size_t panel, std::size_t most,
                                   std::size_t threads) noexcept {
  const std::size_t panels = ceil_div(columns, panel), tasks = threads > 1 ? 4 * threads : 1;
  return panel * std::clamp(panels / tasks, std::size_t{1}, most);
}

/// Reader: what packs columns of the right operand.
///   workspace cut(cutter, panel)      takes one worker's memory from a scratch_cutter
///   pack(workspace, group, k0, k1, column, n, dst, ld)   rows [k0, k1) of columns column .. column + n to
///       dst[(k - k0) * ld + lane]; the lanes beyond n, and a vector beyond the last row, may be written too
/// and for weights that store
///   in_place(group, k0, column, n)    rows from k0 on of these columns where they lie, or null: then they are packed
///   next(group, k0, column, n)        inputs to fetch while others are multiplied, rows from k0 on of columns from
///       `column` on, at most n, as panel_traffic without outputs; perhaps none
/// store(group, row, rows, column, n, sums, ld) takes finished sums; of weights that store, store.runs(group, row,
/// column, n, runs) says where those of n columns go, in at most n runs, and how many. Weights of group g are rows g *
/// rows onwards. Throws out_of_memory before anything is written.
template <scalar T, class Weights, class Reader, class Store>
void multiply_panels(const Weights& w, const product_extent& extent, const Reader& reader, const Store& store,
                     executor_ref exec) {
  const std::size_t columns_each = columns_of_task(extent.columns, w.panel(), w.max_panels(), exec.concurrency());
  const std::size_t column_tasks = ceil_div(extent.columns, columns_each);
  const std::size_t rows_each =
      rows_of_task(extent.rows, w.max_rows(), w.overhead_rows(),
                   extent.groups * busy_panels(extent.columns, columns_each), exec.concurrency());
  const std::size_t row_tasks = ceil_div(extent.rows, rows_each);
  const std::size_t input_size = (std::min)(w.max_depth(), w.cols()) * columns_each + copy_slack;
  struct worker_memory {
    typename Weights::input* inputs;
    typename Weights::sum* sums;
    typename Weights::work* work;
    typename Reader::workspace reading;
    store_run<T>* runs;
  };
  const auto cut = [&](scratch_cutter memory) {
    worker_memory mine{memory.take<typename Weights::input>(input_size),
                       memory.take<typename Weights::sum>(rows_each * columns_each),
                       memory.take<typename Weights::work>(w.work_size()), reader.cut(memory, columns_each),
                       memory.take<store_run<T>>(Weights::stores ? w.panel() : 0)};
    return std::pair(mine, memory.used());
  };
  const std::size_t bytes_each = cut(scratch_cutter()).second;
  scratch memory(checked_product(bytes_each, exec.concurrency(), "scratch"));

  exec.bulk(extent.groups * row_tasks * column_tasks, [&](std::size_t worker, std::size_t task) {
    const std::size_t group = task / (row_tasks * column_tasks);
    const std::size_t row = task / column_tasks % row_tasks * rows_each;
    const std::size_t rows = (std::min)(rows_each, extent.rows - row);
    const std::size_t first = task % column_tasks * columns_each;
    const std::size_t columns = (std::min)(columns_each, extent.columns - first);
    worker_memory mine = cut(scratch_cutter(memory.data() + worker * bytes_each)).first;
    for (std::size_t k0 = 0; k0 < w.cols();) {
      const std::size_t k1 = w.depth_end(k0);
      panel_rows<typename Weights::input> inputs;
      if constexpr (Weights::stores) inputs = reader.in_place(group, k0, first, columns);
      if (inputs.at == nullptr) {
        reader.pack(mine.reading, group, k0, k1, first, columns, mine.inputs, columns_each);
        inputs = {mine.inputs, columns_each};
      }
      const weight_range at{group * extent.rows + row, rows, k0, k1};
      const panel_product<typename Weights::input, typename Weights::sum> to{inputs.at, mine.sums, columns_each,
                                                                             columns,   k0 > 0,    inputs.ld};
      if constexpr (Weights::stores)
        w.add(at, to, [&](std::size_t column, std::size_t n) {
          const std::size_t here = first + column, next = here + columns_each;
          panel_traffic<T> traffic;
          if (next < extent.columns)
            traffic = reader.next(group, k0, next, (std::min)(w.panel(), extent.columns - next));
          if (k1 == w.cols()) {
            traffic.outputs = mine.runs;
            traffic.output_runs = store.runs(group, row, here, n, mine.runs);
          }
          return traffic;
        });
      else
        w.add(at, to, mine.work);
      k0 = k1;
    }
    if constexpr (!Weights::stores) store(group, row, rows, first, columns, mine.sums, columns_each);
  });
}

/// Chooses the form of compressed weights by the path of a plan.
template <scalar T, class Reader, class Store>
void multiply_panels(const prepacked_matrix<T>& w, gemm_path path, const product_extent& extent, const Reader& reader,
                     const Store& store, executor_ref exec) {
  if (path == gemm_path::lut)
    multiply_panels<T>(tabulated_weights<T>(w), extent, reader, store, exec);
  else
    multiply_panels<T>(coded_weights<T>(w), extent, reader, store, exec);
}

}  // namespace detail
}  // namespace v1
}  // namespace bitpq
