// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a layer of the student should compute: not its own weights' outputs but the TEACHER's, from the inputs that the
// student has. The weights that do this best, by least squares with a ridge towards the teacher's, are
//   W* = W (E[x_t x_s^T] + l I) (E[x_s x_s^T] + l I)^-1,
// and they are compressed in place of W. What is left of the difference between mean outputs goes into the bias.

#include <bitpq/quantize/detail/upper_factor.hpp>
#include <bitpq/quantize/importance.hpp>

namespace bitpq {
inline namespace v1 {

/// W* for the teacher's weights w (rows x cols, any strides): rows x cols, contiguous. `cross` holds, for each group,
/// the cols x cols means of x_t x_s^T (row: the teacher's input; columns in the order of the weights); `student` the
/// second moments of x_s; l is `damping` times their mean diagonal. A group whose student inputs are all zero keeps w.
/// Throws bad_shape or non_finite, and bad_params for moments that are not positive semi-definite.
/// O(groups cols^3 / 3 + rows cols^2).
template <scalar T>
[[nodiscard]] aligned_buffer<T> teacher_target(std::type_identity_t<matrix_view<const T>> w,
                                               std::span<const double> cross, const importance& student,
                                               double damping = 0.01, executor_ref exec = {}) {
  const std::size_t cols = student.cols(), groups = student.groups();
  require(groups > 0 && w.cols() == cols && w.rows() % groups == 0, errc::bad_shape, "weights of ", w.rows(), " x ",
          w.cols(), " with second moments of ", groups, " x ", cols, " x ", cols);
  require(cross.size() == groups * cols * cols, errc::bad_shape, "cross moments of ", cross.size(),
          " elements for a layer of ", groups, " groups of ", cols, " columns");
  require(damping > 0 && std::isfinite(damping), errc::bad_params, "damping ", damping, " is not a finite number > 0");
  require_finite(matrix_view<const double>(cross.data(), groups * cols, cols), "cross moments");
  const std::size_t rows = w.rows() / groups;
  aligned_buffer<T> target(w.rows() * cols);
  for (std::size_t g = 0; g < groups; ++g) {
    const matrix_view<const double> h = student.gram(g);
    double trace = 0;
    for (std::size_t i = 0; i < cols; ++i) trace += h(i, i);
    const double ridge = damping * trace / static_cast<double>(cols);
    aligned_buffer<double> product(rows * cols);
    exec.bulk(rows, [&](std::size_t, std::size_t r) {
      double* const out = product.data() + r * cols;
      for (std::size_t k = 0; k < cols; ++k) {
        const auto weight = static_cast<double>(w(g * rows + r, k));
        const double* const from = cross.data() + (g * cols + k) * cols;
        for (std::size_t c = 0; c < cols; ++c) out[c] += weight * from[c];
        out[k] += weight * ridge;
      }
    });
    if (ridge > 0) {
      const detail::upper_factor factor(
          cols, [&](std::size_t i, std::size_t j) { return h(i, j) + (i == j ? ridge : 0.0); }, exec);
      factor.solve_left(product.data(), rows, exec);
    }
    for (std::size_t r = 0; r < rows; ++r)
      for (std::size_t c = 0; c < cols; ++c)
        target[(g * rows + r) * cols + c] = ridge > 0 ? static_cast<T>(product[r * cols + c]) : w(g * rows + r, c);
  }
  return target;
}

/// The bias with which a compressed layer's mean outputs are those of the teacher: bias + wanted - got, the means of
/// the outputs of teacher and student, the latter with `bias`. Throws bad_shape when the sizes differ, non_finite.
template <scalar T>
[[nodiscard]] std::vector<T> corrected_bias(std::span<const T> bias, std::span<const double> wanted,
                                            std::span<const double> got) {
  require(bias.size() == wanted.size() && bias.size() == got.size(), errc::bad_shape, "a bias of ", bias.size(),
          " elements with mean outputs of ", wanted.size(), " and ", got.size());
  std::vector<T> corrected(bias.begin(), bias.end());
  for (std::size_t i = 0; i < bias.size(); ++i) {
    require(std::isfinite(wanted[i]) && std::isfinite(got[i]), errc::non_finite, "mean outputs hold ", wanted[i],
            " and ", got[i], " at ", i);
    corrected[i] += static_cast<T>(wanted[i] - got[i]);
  }
  return corrected;
}

}  // namespace v1
}  // namespace bitpq
