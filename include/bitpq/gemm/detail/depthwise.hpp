// SPDX-License-Identifier: Apache-2.0
#pragma once

// Convolutions with one input channel per group, straight from the window that convolution_columns fills: nothing is
// packed, for an output shares its inputs with few others.

#include <bitpq/gemm/detail/convolution_columns.hpp>
#include <bitpq/gemm/detail/panels.hpp>

namespace bitpq {
inline namespace v1 {
namespace detail {

/// Columns of a task: long enough that the window's overlap with its neighbours' is small.
inline constexpr std::size_t depthwise_columns = 1024;

/// Left: what yields row r of the weights as contiguous elements, row(r, buffer). store(group, row, rows, column, n,
/// sums, ld) takes finished sums. Throws out_of_memory before anything is written.
template <scalar T, class Left, class Store>
void multiply_depthwise(const kernel_table<T>& kernels, const Left& left, const layer_geometry& g,
                        const nchw_view<const T>& x, extent2 out, const Store& store, executor_ref exec) {
  const convolution_columns<T> reader(kernels, x, g, out, window_use::always);
  const std::size_t columns = x.batch() * out.h * out.w, rows = g.out_per_group(), taps = g.window();
  const std::size_t columns_each = (std::min)(columns, depthwise_columns), pieces = ceil_div(columns, columns_each);
  struct worker_memory {
    T *weights, *sums;
    typename convolution_columns<T>::workspace reading;
  };
  const auto cut = [&](scratch_cutter memory) {
    worker_memory mine{memory.take<T>(taps), memory.take<T>(columns_each + kernels.lanes),
                       reader.cut(memory, columns_each)};
    return std::pair(mine, memory.used());
  };
  const std::size_t bytes_each = cut(scratch_cutter()).second;
  scratch memory(checked_product(bytes_each, exec.concurrency(), "scratch"));
  // A few groups each: what a window needs to know of the columns is found once for all of them.
  const std::size_t groups_each =
      (std::max)(std::size_t{1}, (std::min)(std::size_t{32}, g.groups() * pieces / (4 * exec.concurrency())));
  const std::size_t group_tasks = ceil_div(g.groups(), groups_each);
  exec.bulk(group_tasks * pieces, [&](std::size_t worker, std::size_t task) {
    worker_memory mine = cut(scratch_cutter(memory.data() + worker * bytes_each)).first;
    const std::size_t first = task / group_tasks * columns_each, n = (std::min)(columns_each, columns - first);
    const std::size_t begin = task % group_tasks * groups_each, end = (std::min)(begin + groups_each, g.groups());
    for (std::size_t group = begin; group < end; ++group) {
      reader.look(mine.reading, group, 0, first, n);
      for (std::size_t r = 0; r < rows; ++r) {
        kernels.filter_runs(mine.reading.window, mine.reading.taps, left.row(group * rows + r, mine.weights), taps,
                            mine.reading.pixels, mine.reading.pixel_count, mine.sums);
        store(group, r, std::size_t{1}, first, n, mine.sums, columns_each);
      }
    }
  });
}

/// Rows of codes, decoded one at a time, but for their scales.
template <scalar T>
struct decoded_row {
  const prepacked_matrix<T>& w;

  const T* row(std::size_t r, T* buffer) const noexcept {
    const code_format& format = w.format();
    std::fill_n(buffer, format.cols, T{0});
    for (std::size_t stage = 0; stage < format.stages; ++stage)
      for (std::size_t j = 0; j < format.blocks(); ++j)
        w.with_codes(format.position(stage, j), r, [&](const auto* code) {
          const T* const word = w.book(format.book_of(stage, j)) + std::size_t{*code} * format.block_size;
          for (std::size_t i = 0; i < format.width_of(j); ++i) buffer[j * format.block_size + i] += word[i];
        });
    return buffer;
  }
};

/// Rows that lie in memory as they are.
template <scalar T>
struct dense_row {
  matrix_view<const T> w;

  const T* row(std::size_t r, T* /*buffer*/) const noexcept { return &w(r, 0); }
};

}  // namespace detail
}  // namespace v1
}  // namespace bitpq
