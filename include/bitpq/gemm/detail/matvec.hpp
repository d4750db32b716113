// SPDX-License-Identifier: Apache-2.0
#pragma once

// Products with few columns: codewords are multiplied as they are decoded, column by column, so that each code is
// read once per column and nothing is built that only many columns would pay for.

#include <bitpq/core/executor.hpp>
#include <bitpq/gemm/prepack.hpp>

#include <algorithm>

namespace bitpq {
inline namespace v1 {
namespace detail {

/// store(group, row, rows, column, n, sums, ld) takes finished sums. Throws out_of_memory before
/// anything is written.
template <scalar T, class Store>
void multiply_columns(const prepacked_matrix<T>& w, matrix_view<const T> x, const Store& store, executor_ref exec) {
  constexpr std::size_t rows_each = 256;
  const code_format& format = w.format();
  const kernel_table<T>& kernels = w.kernels();
  const std::size_t blocks = format.blocks(), d = format.block_size, column_size = blocks * w.book_stride();

  aligned_buffer<T> input(x.cols() * column_size);  // blocks at the stride of the codewords, zero between them
  for (std::size_t c = 0; c < x.cols(); ++c)
    for (std::size_t k = 0; k < x.rows(); ++k) input[c * column_size + k / d * w.book_stride() + k % d] = x(k, c);
  std::vector<aligned_buffer<T>> scratch(exec.concurrency());
  for (aligned_buffer<T>& s : scratch) s = aligned_buffer<T>(rows_each);

  const std::size_t row_tasks = ceil_div(w.rows(), rows_each);
  exec.bulk(row_tasks * x.cols(), [&](std::size_t worker, std::size_t task) {
    const std::size_t row = task % row_tasks * rows_each, column = task / row_tasks;
    const std::size_t rows = (std::min)(rows_each, w.rows() - row);
    T* const dots = scratch[worker].data();
    std::fill_n(dots, rows, T{0});
    for (std::size_t b = 0; b < format.codebooks; ++b) {
      const std::size_t first = b * format.blocks_per_codebook();
      const std::size_t count = (std::min)(format.blocks_per_codebook(), blocks - first);
      w.with_codes(first, row, [&]<class Code>(const Code* codes) {
        kernels.template on<Code>().dot_rows(w.book(b), w.book_stride(), codes, w.code_stride(),
                                             input.data() + column * column_size + first * w.book_stride(), dots, rows,
                                             count);
      });
    }
    store(std::size_t{0}, row, rows, column, std::size_t{1}, dots, std::size_t{1});
  });
}

}  // namespace detail
}  // namespace v1
}  // namespace bitpq
