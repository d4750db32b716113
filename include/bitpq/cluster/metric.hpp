// SPDX-License-Identifier: Apache-2.0
#pragma once

// The metric of a weighted approximation, reduced to the Euclidean one. The error that block weights v make in a
// layer's output when a codeword c replaces them is (v - c)^T G (v - c), G the Gram matrix of the inputs they meet.
// With G = L L^T that is |L^T v - L^T c|^2: whiten once, run plain k-means, whiten back.

#include <bitpq/core/aligned_buffer.hpp>
#include <bitpq/core/matrix_view.hpp>

#include <Eigen/Cholesky>
#include <Eigen/Core>

#include <vector>

namespace bitpq {
inline namespace v1 {

/// A linear map of d-dimensional points under which a Gram metric becomes the Euclidean one; default: the identity.
class whitening {
 public:
  whitening() = default;

  /// Of a symmetric positive semi-definite d x d Gram matrix plus `damping` times its mean diagonal on the diagonal,
  /// which is what keeps rank-deficient statistics (dead inputs, few samples) usable. The map is scaled to a mean
  /// diagonal of 1, so the units of the inputs do not matter. An all-zero Gram matrix gives the identity.
  /// Throws bad_shape unless square, non_finite, bad_params for a negative damping or a matrix that stays
  /// indefinite beyond rounding when damped. O(d^3).
  explicit whitening(matrix_view<const double> gram, double damping = 0.01) {
    require(gram.rows() == gram.cols(), errc::bad_shape, "Gram matrix of ", gram.rows(), " x ", gram.cols());
    require(damping >= 0 && std::isfinite(damping), errc::bad_params, "damping ", damping,
            " is not a finite number >= 0");
    require_finite(gram, "Gram matrix");
    const auto d = static_cast<Eigen::Index>(gram.rows());
    Eigen::MatrixXd g(d, d);
    for (Eigen::Index i = 0; i < d; ++i)
      for (Eigen::Index j = 0; j < d; ++j)
        g(i, j) = (gram(static_cast<std::size_t>(i), static_cast<std::size_t>(j)) +
                   gram(static_cast<std::size_t>(j), static_cast<std::size_t>(i))) /
                  2;
    const double scale = d == 0 ? 0 : g.trace() / static_cast<double>(d);
    if (g.isZero(0)) return;
    require(scale > 0, errc::bad_params, "Gram matrix with a trace of ", g.trace(), " is not positive semi-definite");
    g /= scale;
    factorise(g, damping);
  }

  [[nodiscard]] bool is_identity() const noexcept { return lower_.empty(); }

  /// L^T times each row of `points` (n x d row-major), in place; O(n d^2). A row's result does not depend on the
  /// others.
  template <scalar T>
  void apply(std::span<T> points, std::size_t d) const {
    transform(points, d, [&](double* v) {
      for (std::size_t j = 0; j < d; ++j) {
        double sum = 0;
        for (std::size_t i = j; i < d; ++i) sum += lower_[i * d + j] * v[i];
        v[j] = sum;  // v[j] is not read again
      }
    });
  }

  /// The inverse of apply, by back substitution.
  template <scalar T>
  void invert(std::span<T> points, std::size_t d) const {
    transform(points, d, [&](double* v) {
      for (std::size_t j = d; j-- > 0;) {
        for (std::size_t i = j + 1; i < d; ++i) v[j] -= lower_[i * d + j] * v[i];
        v[j] /= lower_[j * d + j];
      }
    });
  }

 private:
  /// Rounding may leave a rank-deficient matrix slightly indefinite: more damping then, within reason.
  void factorise(const Eigen::MatrixXd& g, double damping) {
    const Eigen::Index d = g.rows();
    for (double extra = 0; extra <= 1e-3; extra = (std::max)(10 * extra, 1e-12)) {
      const Eigen::LLT<Eigen::MatrixXd> llt(g + (damping + extra) * Eigen::MatrixXd::Identity(d, d));
      if (llt.info() != Eigen::Success) continue;
      const Eigen::MatrixXd l = llt.matrixL();
      if (l.diagonal().minCoeff() < 1e-7) continue;  // would blow up on the way back
      lower_ = aligned_buffer<double>(static_cast<std::size_t>(d * d));
      for (Eigen::Index i = 0; i < d; ++i)
        for (Eigen::Index j = 0; j <= i; ++j) lower_[static_cast<std::size_t>(i * d + j)] = l(i, j);
      return;
    }
    fail(errc::bad_params, "Gram matrix of ", d, " x ", d, " is not positive semi-definite");
  }

  template <scalar T, class F>
  void transform(std::span<T> points, std::size_t d, const F& f) const {
    if (is_identity()) return;
    require(d * d == lower_.size(), errc::bad_shape, "points of ", d, " dimensions in a metric of ", lower_.size(),
            " = d^2 elements");
    require(points.size() % d == 0, errc::bad_shape, points.size(), " elements are no points of ", d, " dimensions");
    std::vector<double> v(d);
    for (std::size_t p = 0; p < points.size(); p += d) {
      std::copy_n(points.data() + p, d, v.data());
      f(v.data());
      for (std::size_t i = 0; i < d; ++i) points[p + i] = static_cast<T>(v[i]);
    }
  }

  aligned_buffer<double> lower_;  // d x d row-major, or empty for the identity
};

}  // namespace v1
}  // namespace bitpq
