// SPDX-License-Identifier: Apache-2.0

#include "support/catch.hpp"
#include "support/expect_error.hpp"
#include "support/layers.hpp"
#include "support/thread_executor.hpp"

#include <bitpq/quantize/targets.hpp>

#include <Eigen/LU>

using bitpq::layer_geometry;
using bitpq::matrix_view;
using bitpq_test::row_major;

namespace {

/// Inputs of a layer in the teacher and, disturbed, in the student; columns are samples.
struct both_inputs {
  row_major teacher, student;

  both_inputs(std::size_t cols, std::size_t samples)
      : teacher(bitpq_test::to_eigen(
            matrix_view<const double>(bitpq_test::correlated_images<double>(samples, cols, {1, 1}, 3).data(), samples,
                                      cols)
                .transposed())) {
    const std::vector<double> noise = bitpq_test::random_values<double>(cols * samples, 5);
    student = 0.8 * teacher + 0.2 * bitpq_test::to_eigen(matrix_view<const double>(noise.data(), cols, samples)) +
              0.1 * row_major::Ones(teacher.rows(), teacher.cols());
  }
};

bitpq::importance moments_of(const row_major& x, std::size_t groups = 1) {
  const row_major h = x * x.transpose() / static_cast<double>(x.cols());
  bitpq::aligned_buffer<double> values(groups * static_cast<std::size_t>(h.size()));
  for (std::size_t g = 0; g < groups; ++g)
    std::copy_n(h.data(), h.size(), values.data() + g * static_cast<std::size_t>(h.size()));
  return {groups, static_cast<std::size_t>(h.rows()), values};
}

/// E[y_t x_s^T] for weights w.
template <class T>
row_major outputs_of(const matrix_view<const T>& w, const both_inputs& x) {
  return bitpq_test::to_eigen(w) * x.teacher * x.student.transpose() / static_cast<double>(x.student.cols());
}

}  // namespace

TEMPLATE_TEST_CASE("weights for the teacher's outputs from the student's inputs", "", float, double) {
  using T = TestType;
  for (const std::size_t cols : {1U, 7U, 150U, 310U}) {
    INFO(cols);
    const both_inputs x(cols, 4 * cols + 10);
    const bitpq::importance h = moments_of(x.student);
    const std::size_t rows = 37;
    const std::vector<T> w = bitpq_test::random_values<T>(rows * cols, 9);
    const matrix_view<const T> view(w.data(), rows, cols);
    const row_major outputs = outputs_of(view, x);
    const std::span<const double> c(outputs.data(), static_cast<std::size_t>(outputs.size()));
    const auto target = bitpq::teacher_target<T>(view, c, h, 0.01);
    const auto by_threads = bitpq::teacher_target<T>(view, c, h, 0.01, bitpq_test::thread_executor(3));
    CHECK(std::equal(target.begin(), target.end(), by_threads.begin()));
    const row_major m = bitpq_test::to_eigen(h.gram(0));
    const row_major ridge = 0.01 * m.trace() / static_cast<double>(cols) * row_major::Identity(m.rows(), m.cols());
    const row_major want =
        (outputs + bitpq_test::to_eigen(view) * ridge) * Eigen::MatrixXd(m + ridge).partialPivLu().inverse();
    const row_major got = bitpq_test::to_eigen(matrix_view<const T>(target.data(), rows, cols));
    CHECK((got - want).norm() <= (std::is_same_v<T, float> ? 1e-6 : 1e-11) * want.norm());
    // What they are for: outputs nearer to the teacher's than those of the teacher's weights.
    const row_major y = bitpq_test::to_eigen(view) * x.teacher;
    CHECK((y - got * x.student).norm() < (y - bitpq_test::to_eigen(view) * x.student).norm());
  }
}

TEST_CASE("targets of equal inputs, and of inputs that are zero, are the weights") {
  const both_inputs x(12, 100);
  const std::vector<float> w = bitpq_test::random_values<float>(20 * 12, 2);
  const matrix_view<const float> view(w.data(), 20, 12);
  both_inputs same = x;
  same.teacher = same.student;
  const row_major outputs = outputs_of(view, same);
  const std::span<const double> o(outputs.data(), static_cast<std::size_t>(outputs.size()));
  const auto target = bitpq::teacher_target<float>(view, o, moments_of(x.student, 2));
  for (std::size_t i = 0; i < w.size(); ++i) CHECK(target[i] == Approx(w[i]).margin(1e-5));
  const bitpq::importance silence(1, 12, bitpq::aligned_buffer<double>(12 * 12));
  const auto kept = bitpq::teacher_target<float>(view, std::vector<double>(20 * 12), silence);
  CHECK(std::equal(w.begin(), w.end(), kept.begin()));
}

TEST_CASE("bad targets are refused with their numbers") {
  const both_inputs x(6, 40);
  const bitpq::importance h = moments_of(x.student, 2);
  const std::vector<float> w(5 * 6, 1.0F);
  const std::vector<double> outputs(5 * 6, 0.5);
  const auto expect = [&](bitpq::errc code, const std::string& text, std::size_t rows, std::size_t given,
                          double damping) {
    bitpq_test::expect_error(code, text, [&] {
      static_cast<void>(bitpq::teacher_target<float>({w.data(), rows, 6}, std::span(outputs).first(given), h, damping));
    });
  };
  expect(bitpq::errc::bad_shape, "weights of 5 x 6 with second moments of 2 x 6 x 6", 5, 30, 0.01);
  expect(bitpq::errc::bad_shape, "moments of outputs and inputs of 23 elements for weights of 4 x 6", 4, 23, 0.01);
  expect(bitpq::errc::bad_params, "damping 0 is not a finite number > 0", 4, 24, 0);
  bitpq_test::expect_error(bitpq::errc::bad_shape, "a bias of 2 elements with mean outputs of 2 and 3", [] {
    static_cast<void>(
        bitpq::corrected_bias<float>(std::vector<float>(2), std::vector<double>(2), std::vector<double>(3)));
  });
  CHECK(bitpq::corrected_bias<float>(std::vector<float>{1, 2}, std::vector<double>{3, 4}, std::vector<double>{2, 6}) ==
        std::vector<float>{2, 0});
}
