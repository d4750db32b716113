// SPDX-License-Identifier: Apache-2.0
#pragma once

// Codes and codewords improved together, after training: error feedback, then rounds of least squares on the codewords
// and coordinate descent over the codes.

#include <bitpq/quantize/descent.hpp>
#include <bitpq/quantize/feedback.hpp>
#include <bitpq/quantize/least_squares.hpp>
#include <bitpq/quantize/pq_params.hpp>

namespace bitpq {
inline namespace v1 {

/// `codes` of the weights w (rows x cols, contiguous), refined as `params` says, codewords stored as they were. One
/// metric per group. Throws bad_params for an H that is not positive semi-definite, cancelled when `progress` says so.
/// O(rounds (steps + sweeps) rows cols^2 / groups), and O(cols^3 / 3) for error feedback.
template <scalar T>
[[nodiscard]] pq_matrix<T> refine(const pq_matrix<T>& codes, const T* w, std::span<const output_metric<T>> metrics,
                                  const refinement_params& params, const progress_callback& progress = {},
                                  executor_ref exec = {}) {
  const code_format& format = codes.format();
  const codeword_type storage = codes.book().type();
  pq_draft<T> draft{format, aligned_buffer<T>(codes.book().values()), std::vector<std::uint16_t>(format.codes())};
  for (std::size_t i = 0; i < draft.codes.size(); ++i) draft.codes[i] = codes.codes()[i];
  const std::size_t rows = format.rows / metrics.size(), stages = 1 + params.rounds;
  const auto report = [&](std::size_t done) {
    require(!progress || progress({"refinement", done, stages, 0}), errc::cancelled, "cancelled in stage ", done,
            " of ", stages, " of refinement");
  };
  const auto each_group = [&](const auto& pass) {
    for (std::size_t g = 0; g < metrics.size(); ++g)
      pass(g * rows, matrix_view<const T>(w + g * rows * format.cols, rows, format.cols), metrics[g]);
  };
  const auto descend = [&](std::size_t row, const matrix_view<const T>& part, const output_metric<T>& metric) {
    descend_codes<T>(draft, row, part, metric, exec);
  };
  report(0);
  if (params.error_feedback)
    each_group([&](std::size_t row, const matrix_view<const T>& part, const output_metric<T>& metric) {
      encode_with_feedback<T>(draft, row, part, metric, exec);
      metric.release_factor();
    });
  for (std::size_t round = 0; round < params.rounds; ++round) {
    report(1 + round);
    fit_codewords<T>(draft, w, metrics, params.least_squares_steps, exec);
    // The last sweeps are with the codewords that will be stored.
    if (round + 1 == params.rounds) draft.codewords = aligned_buffer<T>(draft.rounded(storage).values());
    for (std::size_t sweep = 0; sweep < params.descent_sweeps; ++sweep) each_group(descend);
  }
  report(stages);
  return draft.freeze(storage);
}

}  // namespace v1
}  // namespace bitpq
