// SPDX-License-Identifier: Apache-2.0
#pragma once

// How errors of a layer's weights count: tr(E H E^T), in the forms that training and refinement need. An error of one
// block is felt together with those of all others, so the whole of H matters, not its diagonal blocks alone.

#include <bitpq/quantize/detail/block_factor.hpp>
#include <bitpq/quantize/detail/packed_matrix.hpp>
#include <bitpq/quantize/detail/upper_factor.hpp>
#include <bitpq/quantize/importance.hpp>

namespace bitpq {
inline namespace v1 {

/// The metric of one group of a layer: its second moments H, scaled to a mean diagonal of 1, with `damping` added to
/// the diagonal; all zero, they count as the identity. The units of the inputs therefore do not matter. What a caller
/// does not ask for is not computed. Keeps a reference to the moments.
template <scalar T>
class output_metric {
 public:
  output_metric(const importance& moments, std::size_t group, double damping)
      : moments_(moments.gram(group)), cols_(moments.cols()) {
    double trace = 0;
    for (std::size_t i = 0; i < cols_; ++i) trace += moments_(i, i);
    if (trace > 0) {
      scale_ = static_cast<double>(cols_) / trace;
      shift_ = damping;
    }
  }

  [[nodiscard]] std::size_t cols() const noexcept { return cols_; }

  /// H(i, j), scaled and damped.
  [[nodiscard]] double operator()(std::size_t i, std::size_t j) const noexcept {
    return moments_(i, j) * scale_ + (i == j ? shift_ : 0.0);
  }

  /// H as the right operand of products; made by the first call. O(cols^2).
  [[nodiscard]] const detail::packed_matrix<T>& moments(executor_ref exec) const {
    if (packed_moments_.empty()) packed_moments_ = {cols_, cols_, *this, exec};
    return packed_moments_;
  }

  /// A of H = A A^T, A upper triangular; made by the first call. O(cols^3 / 3). Throws bad_params for an H that is not
  /// positive semi-definite.
  [[nodiscard]] const detail::packed_matrix<T>& factor(executor_ref exec) const {
    if (packed_factor_.empty()) packed_factor_ = {cols_, cols_, detail::upper_factor(cols_, *this, exec), exec};
    return packed_factor_;
  }

  /// The metric of the `width` columns from `first`: of H_jj.
  [[nodiscard]] detail::block_factor<T> block(std::size_t first, std::size_t width) const {
    return detail::block_factor<T>::of_moments(square(first, width, *this));
  }

  /// The metric in which error feedback chooses the codeword of the `width` columns from `first`: A_jj A_jj^T.
  [[nodiscard]] detail::block_factor<T> feedback_block(std::size_t first, std::size_t width, executor_ref exec) const {
    return detail::block_factor<T>::of_feedback(square(first, width, factor(exec)));
  }

  /// Frees H and A as operands of products.
  void release_moments() const { packed_moments_ = {}; }
  void release_factor() const { packed_factor_ = {}; }

 private:
  template <class At>
  static Eigen::MatrixXd square(std::size_t first, std::size_t width, const At& at) {
    const auto n = static_cast<Eigen::Index>(width);
    Eigen::MatrixXd block(n, n);
    for (std::size_t i = 0; i < width; ++i)
      for (std::size_t j = 0; j < width; ++j)
        block(static_cast<Eigen::Index>(i), static_cast<Eigen::Index>(j)) =
            static_cast<double>(at(first + i, first + j));
    return block;
  }

  matrix_view<const double> moments_;
  std::size_t cols_;
  double scale_ = 0;
  double shift_ = 1;
  mutable detail::packed_matrix<T> packed_moments_;
  mutable detail::packed_matrix<T> packed_factor_;
};

/// The metrics of all groups of a layer. Keeps a reference to the moments.
template <scalar T>
[[nodiscard]] std::vector<output_metric<T>> output_metrics(const importance& moments, double damping) {
  std::vector<output_metric<T>> metrics;
  for (std::size_t g = 0; g < moments.groups(); ++g) metrics.emplace_back(moments, g, damping);
  return metrics;
}

}  // namespace v1
}  // namespace bitpq
