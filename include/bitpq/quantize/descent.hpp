// SPDX-License-Identifier: Apache-2.0
#pragma once

// Coordinate descent over codes (iterated conditional modes, Besag 1986): with all other blocks fixed, the best value
// of block j is q_j + [(W - Q) H]_j H_jj^-1; each block is given the codeword nearest to it in the metric H_jj.

#include <bitpq/quantize/detail/block_sweep.hpp>
#include <bitpq/quantize/output_metric.hpp>

namespace bitpq {
inline namespace v1 {

/// One sweep over all codes of the rows of a group, in place; w as in encode_with_feedback. tr(E H E^T) does not rise
/// beyond rounding. O(rows cols (cols + K)).
template <scalar T>
void descend_codes(pq_draft<T>& draft, std::size_t first_row, matrix_view<const T> w, const output_metric<T>& metric,
                   executor_ref exec = {}) {
  const code_format& format = draft.format;
  const detail::packed_matrix<T>& moments = metric.moments(exec);
  std::vector<detail::block_factor<T>> factors(format.blocks());
  exec.bulk(factors.size(),
            [&](std::size_t, std::size_t j) { factors[j] = metric.block(j * format.block_size, format.width_of(j)); });
  const std::size_t cols = w.cols(), ld = moments.padded_cols();
  aligned_buffer<T> residual(w.rows() * ld), approximation(w.size());
  constexpr std::size_t run = 64;
  exec.bulk(ceil_div(w.rows(), run), [&](std::size_t, std::size_t task) {
    const std::size_t row = task * run, n = (std::min)(run, w.rows() - row);
    draft.decode_rows(first_row + row, n, &approximation[row * cols], cols);
    aligned_buffer<T> error(n * cols);
    for (std::size_t i = 0; i < n * cols; ++i)
      error[i] = w.data_handle()[row * cols + i] - approximation[row * cols + i];
    moments.multiply(error.data(), cols, n, 0, cols, 0, moments.panels(), &residual[row * ld], ld, false);
  });
  detail::block_sweep<T>{
      moments, factors, first_row, w.rows(), approximation.data(), residual.data(), approximation.data()}
      .run(draft, exec);
}

}  // namespace v1
}  // namespace bitpq
