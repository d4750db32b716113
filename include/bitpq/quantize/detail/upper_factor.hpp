// SPDX-License-Identifier: Apache-2.0
#pragma once

// The factor of a symmetric positive definite matrix that error feedback needs: H = A A^T with A UPPER triangular,
// a Cholesky factorisation that runs from the last column to the first. Blocks of the diagonal are Eigen's; everything
// outside them is products, in the kernels that the rest of the library has.

#include <bitpq/core/aligned_buffer.hpp>
#include <bitpq/core/executor.hpp>
#include <bitpq/kernel/dispatch.hpp>

#include <Eigen/Cholesky>
#include <Eigen/Core>

#include <algorithm>

namespace bitpq {
inline namespace v1 {
namespace detail {

/// A symmetric n x n matrix, then its upper factor in the same place. O(n^3 / 3).
class upper_factor {
 public:
  /// at(i, j) is read for j >= i. Throws bad_params for a matrix that is not positive definite.
  template <class At>
  upper_factor(std::size_t n, const At& at, executor_ref exec)
      : kernels_(&kernels<double>()),
        n_(n),
        stride_(round_up(n, kernels_->panel)),
        values_(checked_product(n, stride_, "factor of the second moments")) {
    exec.bulk(n, [&](std::size_t, std::size_t i) {
      for (std::size_t j = i; j < n; ++j) values_[i * stride_ + j] = at(i, j);
    });
    for (std::size_t k = round_up(n, block()); k > 0; k -= block()) eliminate(k - block(), (std::min)(k, n), exec);
  }

  [[nodiscard]] std::size_t size() const noexcept { return n_; }

  [[nodiscard]] double operator()(std::size_t i, std::size_t j) const noexcept {
    return i <= j ? values_[i * stride_ + j] : 0.0;
  }

  /// Solves X H = B in place: `b` is rows x n, contiguous, and becomes X. Rows do not depend on each other.
  /// O(2 rows n^2).
  void solve_left(double* b, std::size_t rows, executor_ref exec) const {
    aligned_buffer<double> x(checked_product(rows, stride_, "solution of a linear system"));
    for (std::size_t r = 0; r < rows; ++r) std::copy_n(b + r * n_, n_, x.data() + r * stride_);
    const std::size_t blocks = ceil_div(n_, block());
    for (std::size_t k = blocks; k-- > 0;) {  // Y A^T = B, from the last columns to the first
      const std::size_t first = k * block(), width = (std::min)(block(), n_ - first);
      multiply_block(x.data(), rows, first, inverse_of_diagonal(first, width, true), exec);
      take_off_before(
          x.data(), [rows](std::size_t) { return rows; }, first, width, exec);
    }
    for (std::size_t k = 0; k < blocks; ++k) {  // X A = Y, from the first columns to the last
      const std::size_t first = k * block(), width = (std::min)(block(), n_ - first);
      multiply_block(x.data(), rows, first, inverse_of_diagonal(first, width, false), exec);
      take_off_behind(x.data(), rows, first, width, exec);
    }
    for (std::size_t r = 0; r < rows; ++r) std::copy_n(x.data() + r * stride_, n_, b + r * n_);
  }

 private:
  /// Columns that are eliminated at a time.
  [[nodiscard]] std::size_t block() const noexcept { return round_up(std::size_t{128}, kernels_->panel); }

  /// A matrix of width x width, its rows padded to whole panels.
  struct square {
    std::size_t width, padded;
    aligned_buffer<double> values;
  };

  /// Columns [first, first + width) of x (rows x stride_) times m.
  void multiply_block(double* x, std::size_t rows, std::size_t first, const square& m, executor_ref exec) const {
    constexpr std::size_t run = 64;  // rows of a task
    const std::size_t panel = kernels_->panel;
    exec.bulk(ceil_div(rows, run), [&](std::size_t, std::size_t task) {
      const std::size_t count = (std::min)(run, rows - task * run);
      double* const from = x + task * run * stride_ + first;
      aligned_buffer<double> product(count * m.padded);
      for (std::size_t c = 0; c < m.padded; c += panel)
        kernels_->gemm_panel(from, static_cast<std::ptrdiff_t>(stride_), m.values.data() + c, m.padded,
                             product.data() + c, static_cast<std::ptrdiff_t>(m.padded), count, panel, m.width, false);
      for (std::size_t r = 0; r < count; ++r) std::copy_n(product.data() + r * m.padded, m.width, from + r * stride_);
    });
  }

  /// Columns before `first` less x_J A_{<J,J}^T, J the columns [first, first + width): of a panel of columns that ends
  /// before column c, in the first rows_of(c) rows.
  template <class Rows>
  void take_off_before(double* x, const Rows& rows_of, std::size_t first, std::size_t width, executor_ref exec) const {
    const std::size_t panel = kernels_->panel;
    exec.bulk(ceil_div(first, panel), [&](std::size_t, std::size_t task) {
      const std::size_t column = task * panel, columns = (std::min)(panel, first - column);
      aligned_buffer<double> packed(width * panel);
      for (std::size_t k = 0; k < width; ++k)
        for (std::size_t lane = 0; lane < columns; ++lane)
          packed[k * panel + lane] = -values_[(column + lane) * stride_ + first + k];
      kernels_->gemm_panel(x + first, static_cast<std::ptrdiff_t>(stride_), packed.data(), panel, x + column,
                           static_cast<std::ptrdiff_t>(stride_), rows_of(column + columns), panel, width, true);
    });
  }

  /// Columns behind J less x_J A_{J,>J}, in all rows.
  void take_off_behind(double* x, std::size_t rows, std::size_t first, std::size_t width, executor_ref exec) const {
    const std::size_t panel = kernels_->panel, behind = first + width;
    if (behind == n_) return;
    aligned_buffer<double> negative(rows * width);
    for (std::size_t r = 0; r < rows; ++r)
      for (std::size_t k = 0; k < width; ++k) negative[r * width + k] = -x[r * stride_ + first + k];
    exec.bulk(ceil_div(n_ - behind, panel), [&](std::size_t, std::size_t task) {
      const std::size_t column = behind + task * panel;
      kernels_->gemm_panel(negative.data(), static_cast<std::ptrdiff_t>(width), &values_[first * stride_ + column],
                           stride_, x + column, static_cast<std::ptrdiff_t>(stride_), rows, panel, width, true);
    });
  }

  /// Factorises the columns [first, last), given that those behind are done, and takes them off what lies before.
  void eliminate(std::size_t first, std::size_t last, executor_ref exec) {
    const std::size_t width = last - first;
    factorise_diagonal(first, width);
    multiply_block(values_.data(), first, first, inverse_of_diagonal(first, width, true), exec);
    take_off_before(
        values_.data(), [](std::size_t end) { return end; }, first, width, exec);
  }

  void factorise_diagonal(std::size_t first, std::size_t width) {
    const auto n = static_cast<Eigen::Index>(width);
    // Read backwards, an upper factor is a lower one.
    const auto at = [&](Eigen::Index i, Eigen::Index j) -> double& {
      return values_[(first + width - 1 - static_cast<std::size_t>(i)) * stride_ + first + width - 1 -
                     static_cast<std::size_t>(j)];
    };
    Eigen::MatrixXd reversed(n, n);
    for (Eigen::Index i = 0; i < n; ++i)
      for (Eigen::Index j = 0; j <= i; ++j) reversed(i, j) = reversed(j, i) = at(i, j);
    const Eigen::LLT<Eigen::MatrixXd> llt(reversed);
    require(llt.info() == Eigen::Success, errc::bad_params, "second moments of ", n_, " x ", n_,
            " are not positive definite near column ", first);
    const Eigen::MatrixXd lower = llt.matrixL();
    for (Eigen::Index i = 0; i < n; ++i)
      for (Eigen::Index j = 0; j <= i; ++j) at(i, j) = lower(i, j);
  }

  /// The inverse of the diagonal block of A at `first`, or its transpose.
  [[nodiscard]] square inverse_of_diagonal(std::size_t first, std::size_t width, bool transposed) const {
    const auto n = static_cast<Eigen::Index>(width);
    Eigen::MatrixXd upper(n, n);
    for (Eigen::Index i = 0; i < n; ++i)
      for (Eigen::Index j = 0; j < n; ++j)
        upper(i, j) = (*this)(first + static_cast<std::size_t>(i), first + static_cast<std::size_t>(j));
    const Eigen::MatrixXd inverse = upper.triangularView<Eigen::Upper>().solve(Eigen::MatrixXd::Identity(n, n));
    square result{width, round_up(width, kernels_->panel), {}};
    result.values = aligned_buffer<double>(width * result.padded);
    for (std::size_t i = 0; i < width; ++i)
      for (std::size_t j = 0; j < width; ++j) {
        const auto row = static_cast<Eigen::Index>(i), column = static_cast<Eigen::Index>(j);
        result.values[i * result.padded + j] = transposed ? inverse(column, row) : inverse(row, column);
      }
    return result;
  }

  const kernel_table<double>* kernels_;
  std::size_t n_;
  std::size_t stride_;
  aligned_buffer<double> values_;
};

}  // namespace detail
}  // namespace v1
}  // namespace bitpq
