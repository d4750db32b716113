// SPDX-License-Identifier: Apache-2.0
#pragma once

// Codes by error feedback: what the codeword of one block leaves is made good, as far as the inputs' correlations
// allow, by the blocks after it. With H = A A^T, A upper triangular,
//   tr((W - Q) H (W - Q)^T) = sum_j |(w_j - q_j) A_jj + sum_{i < j} (w_i - q_i) A_ij|^2,
// so going from the first block to the last, each term is made as small as a codeword can: successive rounding (Frantar
// et al. 2023, section 3), for blocks.

#include <bitpq/quantize/detail/block_sweep.hpp>
#include <bitpq/quantize/output_metric.hpp>

namespace bitpq {
inline namespace v1 {

/// Chooses all codes of the rows of group `group` in `draft` anew, for the weights w (contiguous, rows x cols of that
/// group), with the codewords that it has. O(rows cols (cols / 2 + K)), and O(cols^3 / 3) where `metric` has no factor
/// yet.
template <scalar T>
void encode_with_feedback(pq_draft<T>& draft, std::size_t first_row, matrix_view<const T> w,
                          const output_metric<T>& metric, executor_ref exec = {}) {
  const code_format& format = draft.format;
  std::vector<detail::block_factor<T>> factors(format.blocks());
  for (std::size_t j = 0; j < format.blocks(); ++j)
    factors[j] = metric.feedback_block(j * format.block_size, format.width_of(j), exec);
  const detail::packed_matrix<T>& factor = metric.factor(exec);
  aligned_buffer<T> residual(w.rows() * factor.padded_cols()), approximation(w.size());
  detail::block_sweep<T>{factor, factors, first_row, w.rows(), w.data_handle(), residual.data(), approximation.data()}
      .run(draft, exec);
}

}  // namespace v1
}  // namespace bitpq
