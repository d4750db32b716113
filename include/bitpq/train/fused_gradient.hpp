// SPDX-License-Identifier: Apache-2.0
#pragma once

// The same gradient straight from what a layer reads and the gradient of what it writes. The gradient of the weights,
// dY X^T, is never formed: rows of dY that name the same codeword at a block position are added first, and only their
// sum is multiplied with what the block reads. That is K products of a row with d others for each position instead of
// as many as there are rows, and memory for the codebooks instead of the weights.

#include <bitpq/train/codeword_gradient.hpp>
#include <bitpq/train/detail/checks.hpp>
#include <bitpq/train/detail/code_lists.hpp>
#include <bitpq/train/detail/gradient_task.hpp>
#include <bitpq/train/detail/layer_columns.hpp>

#include <type_traits>

namespace bitpq {
inline namespace v1 {

namespace detail {

template <scalar T, class Columns>
[[nodiscard]] std::vector<T> fused_gradient(const pq_matrix<T>& w, std::size_t groups, const Columns& columns,
                                            gradient_reduction reduction, executor_ref exec) {
  std::vector<double> sums(w.book().values().size());
  if (columns.count() > 0) {
    const code_lists lists(w, groups, exec);
    const gradient_tasks tasks(w.format(), groups, columns.count(), sizeof(T));
    std::vector<std::vector<double>> partial(tasks.count());
    std::vector<gradient_memory<T>> memory;
    for (std::size_t i = 0; i < exec.concurrency(); ++i) memory.emplace_back(w, tasks);
    exec.bulk(tasks.count(), [&](std::size_t worker, std::size_t task) {
      partial[task] = run_gradient_task(w, lists, columns, tasks, tasks[task], memory[worker]);
    });
    for (const std::vector<double>& some : partial)
      for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += some[i];
  }
  return reduced(w, sums, reduction);
}

}  // namespace detail

/// The gradient by the codewords of a linear layer y = W x, in the layout of w.book().values(): x is in x n and dy out
/// x n, any strides. Sums of products are in T over a chunk of columns and in double beyond, the chunks depending on
/// sizes alone: same bits for any executor. Throws bad_shape when the shapes do not fit. Costs d n multiply-adds per
/// block position and codeword in use, and n additions per code; memory: four bytes and more per code, and about 1 MB
/// per worker.
template <scalar T>
[[nodiscard]] std::vector<T> codeword_gradient(const pq_matrix<T>& w, std::type_identity_t<matrix_view<const T>> x,
                                               std::type_identity_t<matrix_view<const T>> dy,
                                               gradient_reduction reduction = gradient_reduction::sum,
                                               executor_ref exec = {}) {
  require(x.rows() == w.cols() && dy.rows() == w.rows() && x.cols() == dy.cols(), errc::bad_shape, "inputs of ",
          x.rows(), " x ", x.cols(), " and output gradients of ", dy.rows(), " x ", dy.cols(), " for weights of ",
          w.rows(), " x ", w.cols());
  return detail::fused_gradient(w, 1, detail::sample_columns<T>(x, dy), reduction, exec);
}

/// The same for a convolution of x (n x in x h x w) whose output's gradient is dy (n x out x h' x w'), of any strides.
/// Throws bad_shape or bad_params when geometry, weights and maps do not fit together.
template <scalar T>
[[nodiscard]] std::vector<T> codeword_gradient(const pq_matrix<T>& w, const layer_geometry& geometry,
                                               std::type_identity_t<nchw_view<const T>> x,
                                               std::type_identity_t<nchw_view<const T>> dy,
                                               gradient_reduction reduction = gradient_reduction::sum,
                                               executor_ref exec = {}) {
  detail::check_convolution_gradient(w, geometry, x, dy);
  return detail::fused_gradient(w, geometry.groups(), detail::pixel_columns<T>(geometry, x, dy), reduction, exec);
}

}  // namespace v1
}  // namespace bitpq
