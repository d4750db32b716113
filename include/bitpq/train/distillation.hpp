// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a student is to imitate, with gradients: the teacher's softened probabilities (Hinton et al. 2015) and its
// features. No labels.

#include <bitpq/core/matrix_view.hpp>
#include <bitpq/core/nchw_view.hpp>

#include <algorithm>
#include <type_traits>
#include <vector>

namespace bitpq {
inline namespace v1 {

namespace detail {

template <scalar T>
void check_logits(const matrix_view<const T>& logits, const char* whose) {
  for (std::size_t r = 0; r < logits.rows(); ++r)
    for (std::size_t c = 0; c < logits.cols(); ++c)
      require(std::isfinite(logits(r, c)), errc::non_finite, whose, " logits hold ", logits(r, c), " at row ", r,
              ", class ", c);
}

/// log softmax(z / temperature) of a row: z less its largest, so that nothing overflows.
template <scalar T>
void log_softmax(const matrix_view<const T>& z, std::size_t row, double temperature, std::vector<double>& out) {
  auto largest = static_cast<double>(z(row, 0));
  for (std::size_t c = 1; c < z.cols(); ++c) largest = (std::max)(largest, static_cast<double>(z(row, c)));
  double sum = 0;
  for (std::size_t c = 0; c < z.cols(); ++c) {
    out[c] = (static_cast<double>(z(row, c)) - largest) / temperature;
    sum += std::exp(out[c]);
  }
  for (double& value : out) value -= std::log(sum);
}

}  // namespace detail

/// temperature^2 times the mean over the rows of KL(p || q), p and q being the softmax of the teacher's and the
/// student's logits, each n x classes, divided by the temperature. `gradient` (n x classes) becomes that by the
/// student's logits, temperature (q - p) / n: the factor temperature^2 keeps its size whatever the temperature. In
/// double precision, any strides; the gradient may be the student's logits. Throws bad_shape, bad_params for a
/// temperature that is not positive, or non_finite with row and class: nothing written. O(n classes).
template <scalar T>
double distillation_loss(std::type_identity_t<matrix_view<const T>> student,
                         std::type_identity_t<matrix_view<const T>> teacher, double temperature,
                         matrix_view<T> gradient) {
  require(student.rows() == teacher.rows() && student.cols() == teacher.cols(), errc::bad_shape, "student logits of ",
          student.rows(), " rows and ", student.cols(), " classes beside teacher logits of ", teacher.rows(),
          " rows and ", teacher.cols(), " classes");
  require(gradient.rows() == student.rows() && gradient.cols() == student.cols(), errc::bad_shape, "gradient of ",
          gradient.rows(), " x ", gradient.cols(), " for logits of ", student.rows(), " x ", student.cols());
  require(!student.empty(), errc::bad_shape, "logits of ", student.rows(), " rows and ", student.cols(), " classes");
  require(temperature > 0 && std::isfinite(temperature), errc::bad_params, "temperature ", temperature,
          " is not positive and finite");
  detail::check_logits<T>(student, "student");
  detail::check_logits<T>(teacher, "teacher");
  const auto rows = static_cast<double>(student.rows());
  std::vector<double> log_q(student.cols()), log_p(student.cols());
  double sum = 0;
  for (std::size_t r = 0; r < student.rows(); ++r) {
    detail::log_softmax(student, r, temperature, log_q);
    detail::log_softmax(teacher, r, temperature, log_p);
    for (std::size_t c = 0; c < student.cols(); ++c) {
      const double p = std::exp(log_p[c]);
      sum += p * (log_p[c] - log_q[c]);
      gradient(r, c) = static_cast<T>(temperature * (std::exp(log_q[c]) - p) / rows);
    }
  }
  return temperature * temperature * sum / rows;
}

/// The mean squared difference of features, rows x cols; `gradient` becomes 2 (student - teacher) / size. Throws
/// bad_shape, or non_finite with the place: nothing written.
template <scalar T>
double feature_loss(std::type_identity_t<matrix_view<const T>> student,
                    std::type_identity_t<matrix_view<const T>> teacher, matrix_view<T> gradient) {
  for (const matrix_view<const T>& other : {teacher, matrix_view<const T>(gradient)})
    require(other.rows() == student.rows() && other.cols() == student.cols() && !student.empty(), errc::bad_shape,
            "features of ", student.rows(), " x ", student.cols(), " beside ", other.rows(), " x ", other.cols());
  require_finite(student, "student features");
  require_finite(teacher, "teacher features");
  const auto size = static_cast<double>(student.size());
  double sum = 0;
  for (std::size_t r = 0; r < student.rows(); ++r)
    for (std::size_t c = 0; c < student.cols(); ++c) {
      const double difference = static_cast<double>(student(r, c)) - static_cast<double>(teacher(r, c));
      sum += difference * difference;
      gradient(r, c) = static_cast<T>(2 * difference / size);
    }
  return sum / size;
}

/// The same for maps, n x c x h x w.
template <scalar T>
double feature_loss(std::type_identity_t<nchw_view<const T>> student, std::type_identity_t<nchw_view<const T>> teacher,
                    nchw_view<T> gradient) {
  const auto plane = [&](const auto& maps, std::size_t i) {
    using element = typename std::remove_cvref_t<decltype(maps)>::element_type;
    return matrix_view<element>(&maps(i / student.channels(), i % student.channels(), 0, 0), student.height(),
                                student.width(), maps.stride(2), maps.stride(3));
  };
  for (const nchw_view<const T>& other : {teacher, nchw_view<const T>(gradient)})
    for (std::size_t d = 0; d < 4; ++d)
      require(other.extent(d) == student.extent(d) && !student.empty(), errc::bad_shape, "feature maps of ",
              student.batch(), " x ", student.channels(), " x ", student.height(), " x ", student.width(), " beside ",
              other.batch(), " x ", other.channels(), " x ", other.height(), " x ", other.width());
  const std::size_t planes = student.batch() * student.channels();
  for (std::size_t i = 0; i < planes; ++i) {
    require_finite(plane(student, i), "student feature map");
    require_finite(plane(teacher, i), "teacher feature map");
  }
  double sum = 0;
  for (std::size_t i = 0; i < planes; ++i) {
    const matrix_view<T> part = plane(gradient, i);
    sum += feature_loss<T>(plane(student, i), plane(teacher, i), part);
    for (std::size_t y = 0; y < part.rows(); ++y)
      for (std::size_t x = 0; x < part.cols(); ++x) part(y, x) /= static_cast<T>(planes);
  }
  return sum / static_cast<double>(planes);
}

}  // namespace v1
}  // namespace bitpq
