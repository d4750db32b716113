// SPDX-License-Identifier: Apache-2.0
#pragma once

// The pass that error feedback and coordinate descent are: block after block of a row is given the codeword that is
// best now, and what that leaves behind changes what is best for the blocks to come. Rows do not depend on each other.
// Changes reach the next few blocks at once and all further ones by one large product (as in blocked triangular
// solvers), which is where the time goes.

#include <bitpq/cluster/step.hpp>
#include <bitpq/quantize/detail/block_factor.hpp>
#include <bitpq/quantize/detail/packed_matrix.hpp>
#include <bitpq/quantize/pq_draft.hpp>

namespace bitpq {
inline namespace v1 {
namespace detail {

/// Rows [first_row, first_row + rows) of a layer in one sweep. For each block j in order:
///   the code becomes argmin_k |(base_j + residual_j carry_j) - c_k| in the metric of factors[j],
///   approximation_j becomes that codeword, and residual += (base_j - approximation_j) * map_j, in the blocks after j.
/// `base` and `approximation` (row stride cols) may be one; `residual` has row stride map.padded_cols().
template <scalar T>
struct block_sweep {
  const packed_matrix<T>& map;
  std::span<const block_factor<T>> factors;
  std::size_t first_row;
  std::size_t rows;
  const T* base;
  T* residual;
  T* approximation;

  /// O(rows (cols^2 / 2 + cols K)).
  void run(pq_draft<T>& draft, executor_ref exec) const {
    constexpr std::size_t horizon_columns = 128;  // reached at once
    const code_format& format = draft.format;
    const std::size_t panel = map.panel(), step = round_up(horizon_columns, panel);
    for (std::size_t first = 0; first < format.blocks();) {
      const std::size_t begin = first * format.block_size;
      // The next blocks whose columns all lie before a multiple of whole panels; at least one.
      std::size_t horizon = round_up(begin + 1, step), last = first;
      while (last < format.blocks() && (last == first || last * format.block_size + format.width_of(last) <= horizon))
        ++last;
      const std::size_t end = (std::min)(last * format.block_size, format.cols);
      horizon = (std::min)((std::max)(horizon, round_up(end, panel)), map.padded_cols());
      sweep_run(draft, first, last, horizon, exec);
      first = last;
    }
  }

 private:
  /// Blocks [first, last); columns before `horizon` are kept up to date from block to block.
  void sweep_run(pq_draft<T>& draft, std::size_t first, std::size_t last, std::size_t horizon,
                 executor_ref exec) const {
    const code_format& format = draft.format;
    std::vector<std::optional<codeword_columns<T>>> words(last - first);
    exec.bulk(words.size(), [&](std::size_t, std::size_t i) {
      const block_factor<T>& factor = factors[first + i];
      aligned_buffer<T> whitened(format.codewords * factor.width());
      for (std::size_t k = 0; k < format.codewords; ++k)
        factor.whiten(draft.codeword(first + i, k), whitened.data() + k * factor.width());
      words[i].emplace(std::as_const(whitened).span(), factor.width(), kernels<T>());
    });
    const std::size_t run = std::clamp(ceil_div(rows, std::size_t{8}), std::size_t{16}, std::size_t{64});
    exec.bulk(ceil_div(rows, run), [&](std::size_t, std::size_t task) {
      sweep_rows(draft, first, last, horizon, task * run, (std::min)(run, rows - task * run), words);
    });
  }

  void sweep_rows(pq_draft<T>& draft, std::size_t first, std::size_t last, std::size_t horizon, std::size_t row,
                  std::size_t n, const std::vector<std::optional<codeword_columns<T>>>& words) const {
    const code_format& format = draft.format;
    const std::size_t cols = format.cols, d = format.block_size, ld = map.padded_cols(), begin = first * d;
    const std::size_t span = (std::min)(last * d, cols) - begin;
    T* const left = residual + row * ld;
    aligned_buffer<T> targets(n * d), change(n * span);
    std::vector<std::uint16_t> codes(n);
    for (std::size_t j = first; j < last; ++j) {
      const block_factor<T>& factor = factors[j];
      const std::size_t width = factor.width(), column = j * d;
      for (std::size_t r = 0; r < n; ++r) {
        factor.whiten(base + (row + r) * cols + column, targets.data() + r * width);
        factor.add_carried(left + r * ld + column, targets.data() + r * width);
      }
      words[j - first]->nearest(std::as_const(targets).span().first(n * width), codes, {});
      for (std::size_t r = 0; r < n; ++r) {
        draft.code(first_row + row + r, j) = codes[r];
        const T* const word = draft.codeword(j, codes[r]);
        const T* const from = base + (row + r) * cols + column;
        T* const to = approximation + (row + r) * cols + column;
        for (std::size_t i = 0; i < width; ++i) {
          change[r * span + column - begin + i] = from[i] - word[i];
          to[i] = word[i];
        }
      }
      map.multiply(change.data() + column - begin, span, n, column, width, (column + width) / map.panel(),
                   horizon / map.panel(), left, ld, true);
    }
    map.multiply(change.data(), span, n, begin, span, horizon / map.panel(), map.panels(), left, ld, true);
  }
};

}  // namespace detail
}  // namespace v1
}  // namespace bitpq
