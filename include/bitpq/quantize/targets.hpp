// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a layer of the student should compute: not its own weights' outputs but the TEACHER's, y_t = W x_t, from the
// inputs x_s that the student has. The weights that do this best, by least squares with a ridge towards the teacher's,
//   W* = (E[y_t x_s^T] + l W) (E[x_s x_s^T] + l I)^-1,
// are compressed in place of W. What is left of the difference between mean outputs goes into the bias.

#include <bitpq/quantize/detail/upper_factor.hpp>
#include <bitpq/quantize/importance.hpp>

namespace bitpq {
inline namespace v1 {

/// W* for the teacher's weights w (rows x cols, any strides): rows x cols, contiguous. `outputs` holds the rows x cols
/// means of y_t x_s^T that target_accumulator collects, `student` the second moments of x_s; l is `damping` times their
/// mean diagonal. A group whose student inputs are all zero keeps w. Throws bad_shape or non_finite, and bad_params for
/// moments that are not positive semi-definite. O(groups cols^3 / 3 + 2 rows cols^2).
template <scalar T>
[[nodiscard]] aligned_buffer<T> teacher_target(std::type_identity_t<matrix_view<const T>> w,
                                               std::span<const double> outputs, const importance& student,
                                               double damping = 0.01, executor_ref exec = {}) {
  const std::size_t cols = student.cols(), groups = student.groups();
  require(groups > 0 && w.cols() == cols && w.rows() % groups == 0, errc::bad_shape, "weights of ", w.rows(), " x ",
          w.cols(), " with second moments of ", groups, " x ", cols, " x ", cols);
  require(outputs.size() == w.size(), errc::bad_shape, "moments of outputs and inputs of ", outputs.size(),
          " elements for weights of ", w.rows(), " x ", cols);
  require(damping > 0 && std::isfinite(damping), errc::bad_params, "damping ", damping, " is not a finite number > 0");
  require_finite(matrix_view<const double>(outputs.data(), w.rows(), cols), "moments of outputs and inputs");
  const std::size_t rows = w.rows() / groups;
  aligned_buffer<T> target(w.size());
  aligned_buffer<double> solved(rows * cols);
  for (std::size_t g = 0; g < groups; ++g) {
    const matrix_view<const double> h = student.gram(g);
    double trace = 0;
    for (std::size_t i = 0; i < cols; ++i) trace += h(i, i);
    const double ridge = damping * trace / static_cast<double>(cols);
    const auto weight = [&](std::size_t r, std::size_t c) { return static_cast<double>(w(g * rows + r, c)); };
    for (std::size_t r = 0; r < rows; ++r)
      for (std::size_t c = 0; c < cols; ++c)
        solved[r * cols + c] = ridge > 0 ? outputs[(g * rows + r) * cols + c] + ridge * weight(r, c) : weight(r, c);
    if (ridge > 0) {
      const detail::upper_factor factor(
          cols, [&](std::size_t i, std::size_t j) { return h(i, j) + (i == j ? ridge : 0.0); }, exec);
      factor.solve_left(solved.data(), rows, exec);
    }
    std::transform(solved.begin(), solved.end(), target.begin() + static_cast<std::ptrdiff_t>(g * rows * cols),
                   [](double v) { return static_cast<T>(v); });
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
