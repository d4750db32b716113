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
namespace detail {

/// pass(first row, weights, metric) for the rows of each group of w, rows x cols contiguous.
template <scalar T, class Pass>
void for_each_group(const code_format& format, const T* w, std::span<const output_metric<T>> metrics,
                    const Pass& pass) {
  const std::size_t rows = format.rows / metrics.size();
  for (std::size_t g = 0; g < metrics.size(); ++g)
    pass(g * rows, matrix_view<const T>(w + g * rows * format.cols, rows, format.cols), metrics[g]);
}

}  // namespace detail

/// Chooses the codes of the last stage anew by error feedback, then improves all of them, stage by stage, in rounds.
/// `left` (rows x cols, contiguous) is what the stages leave of the weights, before and after. One metric per group.
/// The codewords end as `storage` holds them, and the last sweeps have seen them so. Throws bad_params for an H that is
/// not positive semi-definite, cancelled when `progress` says so. O(rounds stages (steps + sweeps) rows cols^2 /
/// groups), and O(cols^3 / 3) for error feedback.
template <scalar T>
void refine(std::span<pq_draft<T>> stages, std::span<T> left, std::span<const output_metric<T>> metrics,
            const refinement_params& params, codeword_type storage, const progress_callback& progress = {},
            executor_ref exec = {}) {
  const std::size_t total = 1 + params.rounds;
  const auto report = [&](std::size_t done) {
    require(!progress || progress({"refinement", done, total, 0}), errc::cancelled, "cancelled in stage ", done, " of ",
            total, " of refinement");
  };
  report(0);
  if (params.error_feedback) {
    pq_draft<T>& draft = stages.back();
    draft.add_to(left, T{1});
    detail::for_each_group<T>(draft.format, left.data(), metrics, [&](std::size_t row, const auto& w, const auto& h) {
      encode_with_feedback<T>(draft, row, w, h, exec);
    });
    draft.add_to(left, T{-1});
  }
  for (std::size_t round = 0; round < params.rounds; ++round) {
    report(1 + round);
    for (pq_draft<T>& draft : stages) {
      draft.add_to(left, T{1});
      fit_codewords<T>(draft, left.data(), metrics, params.least_squares_steps, exec);
      if (round + 1 == params.rounds) draft.round(storage);
      for (std::size_t sweep = 0; sweep < params.descent_sweeps; ++sweep)
        detail::for_each_group<T>(
            draft.format, left.data(), metrics,
            [&](std::size_t row, const auto& w, const auto& h) { descend_codes<T>(draft, row, w, h, exec); });
      draft.add_to(left, T{-1});
    }
  }
  report(total);
}

}  // namespace v1
}  // namespace bitpq
