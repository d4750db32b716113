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
#include <numeric>

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
    const std::size_t block = round_up(std::size_t{128}, kernels_->panel);
    for (std::size_t k = round_up(n, block); k > 0; k -= block) eliminate(k - block, (std::min)(k, n), exec);
  }

  [[nodiscard]] std::size_t size() const noexcept { return n_; }

  [[nodiscard]] double operator()(std::size_t i, std::size_t j) const noexcept {
    return i <= j ? values_[i * stride_ + j] : 0.0;
  }

  /// Solves X H = B in place: `b` is rows x n, contiguous, and becomes X. Rows do not depend on each other.
  /// O(rows n^2), in loops that the compiler may vectorise.
  void solve_left(double* b, std::size_t rows, executor_ref exec) const {
    constexpr std::size_t run = 32;  // rows of a task
    exec.bulk(ceil_div(rows, run), [&](std::size_t, std::size_t task) {
      double* const x = b + task * run * n_;
      const std::size_t count = (std::min)(run, rows - task * run);
      solve_rows(x, count);
    });
  }

 private:
  /// Y A^T = b from the last column to the first, then X A = Y from the first to the last; each row of A is read once
  /// for all `count` rows.
  void solve_rows(double* x, std::size_t count) const {
    for (std::size_t j = n_; j-- > 0;) {
      const double* const a = values_.data() + j * stride_;
      for (std::size_t r = 0; r < count; ++r) {
        double* const row = x + r * n_;
        row[j] -= std::inner_product(row + j + 1, row + n_, a + j + 1, 0.0);
        row[j] /= a[j];
      }
    }
    for (std::size_t j = 0; j < n_; ++j) {
      const double* const a = values_.data() + j * stride_;
      for (std::size_t r = 0; r < count; ++r) {
        double* const row = x + r * n_;
        row[j] /= a[j];
        for (std::size_t i = j + 1; i < n_; ++i) row[i] -= row[j] * a[i];
      }
    }
  }

  /// Factorises the columns [first, last), given that those behind are done, and takes them off what lies before.
  void eliminate(std::size_t first, std::size_t last, executor_ref exec) {
    const std::size_t width = last - first, panel = kernels_->panel;
    const aligned_buffer<double> inverse = factorise_diagonal(first, width);
    const std::size_t padded = round_up(width, panel);
    constexpr std::size_t run = 64;  // rows of a task
    exec.bulk(ceil_div(first, run), [&](std::size_t, std::size_t task) {
      const std::size_t row = task * run, rows = (std::min)(run, first - row);
      aligned_buffer<double> solved(rows * padded);
      for (std::size_t c = 0; c < padded; c += panel)
        kernels_->gemm_panel(&values_[row * stride_ + first], static_cast<std::ptrdiff_t>(stride_), inverse.data() + c,
                             padded, solved.data() + c, static_cast<std::ptrdiff_t>(padded), rows, panel, width, false);
      for (std::size_t r = 0; r < rows; ++r)
        std::copy_n(solved.data() + r * padded, width, &values_[(row + r) * stride_ + first]);
    });
    exec.bulk(ceil_div(first, panel), [&](std::size_t, std::size_t task) {
      const std::size_t column = task * panel, columns = (std::min)(panel, first - column);
      aligned_buffer<double> packed(width * panel);
      for (std::size_t k = 0; k < width; ++k)
        for (std::size_t lane = 0; lane < columns; ++lane)
          packed[k * panel + lane] = -values_[(column + lane) * stride_ + first + k];
      kernels_->gemm_panel(values_.data() + first, static_cast<std::ptrdiff_t>(stride_), packed.data(), panel,
                           values_.data() + column, static_cast<std::ptrdiff_t>(stride_), column + columns, panel,
                           width, true);
    });
  }

  /// Factorises the diagonal block at `first`; returns the transposed inverse of the factor, its rows padded to whole
  /// panels.
  aligned_buffer<double> factorise_diagonal(std::size_t first, std::size_t width) {
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
    const Eigen::MatrixXd inverse = lower.triangularView<Eigen::Lower>().solve(Eigen::MatrixXd::Identity(n, n));
    const std::size_t padded = round_up(width, kernels_->panel);
    aligned_buffer<double> transposed(width * padded);
    for (std::size_t i = 0; i < width; ++i)
      for (std::size_t j = 0; j < width; ++j)
        transposed[i * padded + j] =
            inverse(static_cast<Eigen::Index>(width - 1 - j), static_cast<Eigen::Index>(width - 1 - i));
    return transposed;
  }

  const kernel_table<double>* kernels_;
  std::size_t n_;
  std::size_t stride_;
  aligned_buffer<double> values_;
};

}  // namespace detail
}  // namespace v1
}  // namespace bitpq
