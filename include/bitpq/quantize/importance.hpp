// SPDX-License-Identifier: Apache-2.0
#pragma once

// What matters in a layer's weights: second moments H = E[x x^T] of the inputs that its weight matrix meets. An error
// E = W - W^ of the weights changes the outputs by tr(E H E^T) on average.

#include <bitpq/codec/code_format.hpp>
#include <bitpq/core/aligned_buffer.hpp>
#include <bitpq/core/executor.hpp>
#include <bitpq/core/matrix_view.hpp>
#include <bitpq/kernel/dispatch.hpp>

#include <numeric>
#include <vector>

namespace bitpq {
inline namespace v1 {

/// One symmetric cols x cols matrix for each group of a layer (one for a linear layer), in double precision.
class importance {
 public:
  importance() = default;

  /// `moments` holds groups x cols x cols elements. Throws bad_shape for another number of them, non_finite, and
  /// bad_params for a negative diagonal or an asymmetry beyond 1e-6 of the largest diagonal element.
  importance(std::size_t groups, std::size_t cols, aligned_buffer<double> moments)
      : groups_(groups), cols_(cols), moments_(std::move(moments)) {
    require(groups > 0 && cols > 0 && moments_.size() == groups * checked_product(cols, cols, "second moments"),
            errc::bad_shape, "second moments of ", groups, " x ", cols, " x ", cols, " given ", moments_.size(),
            " elements");
    for (std::size_t g = 0; g < groups; ++g) require_moments(g);
  }

  [[nodiscard]] std::size_t groups() const noexcept { return groups_; }
  [[nodiscard]] std::size_t cols() const noexcept { return cols_; }

  /// H of group g.
  [[nodiscard]] matrix_view<const double> gram(std::size_t g) const {
    return {moments_.data() + g * cols_ * cols_, cols_, cols_};
  }

  /// The sum, over all groups and the given block positions, of the leading width x width part of H's diagonal blocks:
  /// the Gram matrix that those blocks share (Stock et al. 2020, equation 2). `positions` are block indices.
  [[nodiscard]] aligned_buffer<double> shared_gram(std::span<const std::size_t> positions, std::size_t block_size,
                                                   std::size_t width) const {
    aligned_buffer<double> sum(width * width);
    for (std::size_t g = 0; g < groups_; ++g)
      for (const std::size_t j : positions) {
        const matrix_view<const double> block = gram(g).block(j * block_size, j * block_size, width, width);
        for (std::size_t i = 0; i < width; ++i)
          for (std::size_t k = 0; k < width; ++k) sum[i * width + k] += block(i, k);
      }
    return sum;
  }

 private:
  void require_moments(std::size_t g) const {
    const matrix_view<const double> h = gram(g);
    require_finite(h, "second moments");
    double largest = 0;
    for (std::size_t i = 0; i < cols_; ++i) {
      require(h(i, i) >= 0, errc::bad_params, "second moments hold ", h(i, i), " on the diagonal at ", i);
      largest = (std::max)(largest, h(i, i));
    }
    for (std::size_t i = 0; i < cols_; ++i)
      for (std::size_t k = 0; k < i; ++k)
        require(std::abs(h(i, k) - h(k, i)) <= 1e-6 * largest, errc::bad_params,
                "second moments are not symmetric: ", h(i, k), " at (", i, ", ", k, "), ", h(k, i), " at (", k, ", ", i,
                ")");
  }

  std::size_t groups_ = 0;
  std::size_t cols_ = 0;
  aligned_buffer<double> moments_;
};

namespace detail {

/// tr(E H E^T) of a contiguous rows x cols matrix E, row-major. O(rows cols^2), panel by panel of H.
inline double quadratic_form(matrix_view<const double> e, matrix_view<const double> h, executor_ref exec) {
  const kernel_table<double>& kernels = bitpq::kernels<double>();
  const std::size_t panel = kernels.panel, cols = e.cols(), tasks = ceil_div(cols, panel);
  std::vector<double> sums(tasks);
  std::vector<aligned_buffer<double>> scratch(exec.concurrency());
  for (aligned_buffer<double>& s : scratch) s = aligned_buffer<double>((cols + e.rows()) * panel);
  exec.bulk(tasks, [&](std::size_t worker, std::size_t task) {
    const std::size_t first = task * panel, n = (std::min)(panel, cols - first);
    double* const packed = scratch[worker].data();
    double* const products = packed + cols * panel;
    for (std::size_t k = 0; k < cols; ++k)
      for (std::size_t lane = 0; lane < panel; ++lane) packed[k * panel + lane] = lane < n ? h(k, first + lane) : 0;
    kernels.gemm_panel(e.data_handle(), e.stride(0), packed, panel, products, static_cast<std::ptrdiff_t>(panel),
                       e.rows(), panel, cols, false);
    double sum = 0;
    for (std::size_t r = 0; r < e.rows(); ++r)
      for (std::size_t lane = 0; lane < n; ++lane) sum += products[r * panel + lane] * e(r, first + lane);
    sums[task] = sum;
  });
  return std::accumulate(sums.begin(), sums.end(), 0.0);
}

}  // namespace detail

/// The mean squared change of a layer's outputs when `difference` (rows x cols, any strides) is taken from its
/// weights: the sum over the groups g of tr(E_g H_g E_g^T), where group g owns rows / groups rows. Throws bad_shape
/// when the shapes do not fit. O(rows cols^2 / groups).
template <scalar T>
[[nodiscard]] double output_energy(std::type_identity_t<matrix_view<const T>> difference, const importance& h,
                                   executor_ref exec = {}) {
  require(difference.cols() == h.cols() && h.groups() > 0 && difference.rows() % h.groups() == 0, errc::bad_shape,
          "weights of ", difference.rows(), " x ", difference.cols(), " with second moments of ", h.groups(), " x ",
          h.cols(), " x ", h.cols());
  const std::size_t rows = difference.rows() / h.groups();
  aligned_buffer<double> e(rows * h.cols());
  double total = 0;
  for (std::size_t g = 0; g < h.groups(); ++g) {
    for (std::size_t r = 0; r < rows; ++r)
      for (std::size_t c = 0; c < h.cols(); ++c) e[r * h.cols() + c] = static_cast<double>(difference(g * rows + r, c));
    total += detail::quadratic_form({e.data(), rows, h.cols()}, h.gram(g), exec);
  }
  return total;
}

}  // namespace v1
}  // namespace bitpq
