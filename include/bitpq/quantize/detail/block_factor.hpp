// SPDX-License-Identifier: Apache-2.0
#pragma once

// The metric of one block: small dense maps of d-dimensional rows. Rows are short, so these loops are cheaper than a
// call into a library would be.

#include <bitpq/core/aligned_buffer.hpp>
#include <bitpq/core/matrix_view.hpp>

#include <Eigen/Cholesky>
#include <Eigen/Core>

namespace bitpq {
inline namespace v1 {
namespace detail {

/// The metric D = F F^T of a block of d elements: an error e costs |e F|^2. `carry` takes what the other blocks have
/// left to this one, r, to the same space: the target is whitened to (v F + r carry).
template <scalar T>
class block_factor {
 public:
  block_factor() = default;

  /// A block that errors of earlier blocks reach by H = A A^T, A upper: F = A_jj, and r = sum_i (w_i - q_i) A_ij is
  /// whitened already.
  [[nodiscard]] static block_factor of_feedback(const Eigen::MatrixXd& diagonal) {
    return {diagonal, Eigen::MatrixXd::Identity(diagonal.rows(), diagonal.rows())};
  }

  /// A block of H itself: H_jj = F F^T, F lower; r = sum_i (w_i - q_i) H_ij, over all blocks, moves the best value by
  /// r H_jj^-1, which is whitened to r F^-T. Throws bad_params unless positive definite.
  [[nodiscard]] static block_factor of_moments(const Eigen::MatrixXd& moments) {
    const Eigen::LLT<Eigen::MatrixXd> llt(moments);
    require(llt.info() == Eigen::Success, errc::bad_params, "second moments of a block of ", moments.rows(),
            " are not positive definite");
    const Eigen::MatrixXd lower = llt.matrixL();
    return {lower, lower.transpose().triangularView<Eigen::Upper>().solve(
                       Eigen::MatrixXd::Identity(moments.rows(), moments.rows()))};
  }

  [[nodiscard]] std::size_t width() const noexcept { return width_; }
  /// F, width x width row-major.
  [[nodiscard]] const double* factor() const noexcept { return values_.data(); }

  /// out = v F.
  void whiten(const T* v, T* out) const noexcept {
    for (std::size_t j = 0; j < width_; ++j) out[j] = T{0};
    add(v, factor_.data(), out);
  }

  /// out += r carry.
  void add_carried(const T* r, T* out) const noexcept { add(r, carry_.data(), out); }

 private:
  block_factor(const Eigen::MatrixXd& factor, const Eigen::MatrixXd& carry)
      : width_(static_cast<std::size_t>(factor.rows())),
        values_(width_ * width_),
        factor_(width_ * width_),
        carry_(width_ * width_) {
    for (std::size_t i = 0; i < width_; ++i)
      for (std::size_t j = 0; j < width_; ++j) {
        const auto row = static_cast<Eigen::Index>(i), column = static_cast<Eigen::Index>(j);
        values_[i * width_ + j] = factor(row, column);
        factor_[i * width_ + j] = static_cast<T>(factor(row, column));
        carry_[i * width_ + j] = static_cast<T>(carry(row, column));
      }
  }

  void add(const T* v, const T* map, T* out) const noexcept {
    for (std::size_t i = 0; i < width_; ++i)
      for (std::size_t j = 0; j < width_; ++j) out[j] += v[i] * map[i * width_ + j];
  }

  std::size_t width_ = 0;
  aligned_buffer<double> values_;
  aligned_buffer<T> factor_;
  aligned_buffer<T> carry_;
};

}  // namespace detail
}  // namespace v1
}  // namespace bitpq
