// SPDX-License-Identifier: Apache-2.0

// Losses against their definitions by Eigen, their gradients against finite differences.

#include "support/bad_inputs.hpp"
#include "support/guarded_array.hpp"
#include "support/layers.hpp"

#include <bitpq/train/distillation.hpp>

#include <limits>

using bitpq::errc;
using bitpq::matrix_view;
using bitpq::nchw_view;

namespace {

constexpr std::size_t rows = 5, classes = 7;

std::vector<double> logits(std::uint64_t seed, double spread = 4) {
  std::vector<double> z = bitpq_test::random_values<double>(rows * classes, seed);
  for (double& value : z) value *= spread;
  return z;
}

matrix_view<const double> shaped(const std::vector<double>& z) { return {z.data(), rows, classes}; }

double loss(const std::vector<double>& student, const std::vector<double>& teacher, double temperature) {
  std::vector<double> gradient(student.size());
  return bitpq::distillation_loss(shaped(student), shaped(teacher), temperature,
                                  matrix_view<double>(gradient.data(), rows, classes));
}

}  // namespace

TEST_CASE("the distillation loss is the mean KL divergence times the squared temperature") {
  for (const double temperature : {0.5, 1.0, 4.0}) {
    const std::vector<double> student = logits(1), teacher = logits(2);
    const auto softmax = [&](const std::vector<double>& z) -> Eigen::ArrayXXd {
      const Eigen::ArrayXXd e = (bitpq_test::to_eigen(shaped(z)).array() / temperature).exp();
      return e.colwise() / e.rowwise().sum();
    };
    const Eigen::ArrayXXd p = softmax(teacher), q = softmax(student);
    const double want = temperature * temperature * (p * (p / q).log()).sum() / static_cast<double>(rows);
    CHECK(loss(student, teacher, temperature) == Approx(want).epsilon(1e-12));
    CHECK(loss(student, student, temperature) == Approx(0).margin(1e-14));
  }
}

TEST_CASE("the gradient of the distillation loss agrees with finite differences") {
  for (const double temperature : {0.5, 1.0, 4.0}) {
    std::vector<double> student = logits(3), gradient(student.size());
    const std::vector<double> teacher = logits(4);
    static_cast<void>(bitpq::distillation_loss(shaped(student), shaped(teacher), temperature,
                                               matrix_view<double>(gradient.data(), rows, classes)));
    for (std::size_t i = 0; i < student.size(); ++i) {
      const double before = student[i], step = 1e-5;
      student[i] = before + step;
      const double above = loss(student, teacher, temperature);
      student[i] = before - step;
      const double below = loss(student, teacher, temperature);
      student[i] = before;
      CHECK(gradient[i] == Approx((above - below) / (2 * step)).epsilon(1e-6).margin(1e-9));
    }
  }
}

TEST_CASE("the distillation loss is finite for logits of any size") {
  const std::vector<double> student = logits(5, 1e6), teacher = logits(6, 1e6);
  std::vector<double> gradient(student.size());
  const double value = bitpq::distillation_loss(shaped(student), shaped(teacher), 1.0,
                                                matrix_view<double>(gradient.data(), rows, classes));
  CHECK(std::isfinite(value));
  CHECK(value > 0);
  for (const double g : gradient) CHECK(std::isfinite(g));
  std::vector<double> moved = student;
  for (double& z : moved) z += 1e6;
  CHECK(loss(moved, teacher, 1.0) == Approx(value));
}

TEST_CASE("the distillation loss reads floats of any layout, and the gradient may replace the logits") {
  const std::vector<float> z = bitpq_test::random_values<float>(rows * classes, 7);
  const std::vector<float> t = bitpq_test::random_values<float>(rows * classes, 8);
  std::vector<float> dense(z.size()), in_place = z;
  const double want = bitpq::distillation_loss({z.data(), rows, classes}, {t.data(), rows, classes}, 2,
                                               matrix_view<float>(dense.data(), rows, classes));
  const matrix_view<float> same(in_place.data(), rows, classes);
  CHECK(bitpq::distillation_loss(same, {t.data(), rows, classes}, 2, same) == want);
  CHECK(in_place == dense);
  for (const bitpq_test::layout order : bitpq_test::all_layouts) {
    bitpq_test::guarded_array<float, 2> student({rows, classes}, order, z), teacher({rows, classes}, order, t);
    bitpq_test::guarded_array<float, 2> gradient({rows, classes}, order);
    CHECK(bitpq::distillation_loss(view(student), view(teacher), 2, view(gradient)) == want);
    CHECK(gradient.values() == dense);
    CHECK(gradient.intact());
  }
}

TEST_CASE("the feature loss is the mean squared difference") {
  const std::vector<double> s = bitpq_test::random_values<double>(2 * 3 * 4 * 5, 1);
  const std::vector<double> t = bitpq_test::random_values<double>(s.size(), 2);
  double want = 0;
  for (std::size_t i = 0; i < s.size(); ++i) want += (s[i] - t[i]) * (s[i] - t[i]) / static_cast<double>(s.size());
  std::vector<double> flat(s.size()), maps(s.size());
  CHECK(bitpq::feature_loss({s.data(), 6, 20}, {t.data(), 6, 20}, matrix_view<double>(flat.data(), 6, 20)) ==
        Approx(want).epsilon(1e-13));
  CHECK(bitpq::feature_loss({s.data(), 2, 3, 4, 5}, {t.data(), 2, 3, 4, 5},
                            nchw_view<double>(maps.data(), 2, 3, 4, 5)) == Approx(want).epsilon(1e-13));
  for (std::size_t i = 0; i < s.size(); ++i) {
    CHECK(flat[i] == Approx(2 * (s[i] - t[i]) / static_cast<double>(s.size())).epsilon(1e-12));
    CHECK(maps[i] == Approx(flat[i]).epsilon(1e-12));
  }
}

TEST_CASE("losses name what is wrong and write nothing") {
  std::vector<double> good = logits(1), gradient(200, 3.0), broken = good, maps(120, 1.0);
  broken[3 * classes + 4] = std::numeric_limits<double>::quiet_NaN();
  maps[5] = std::numeric_limits<double>::infinity();
  const matrix_view<double> out(gradient.data(), rows, classes);
  const std::vector<double> others(120);
  const auto distil = [&](matrix_view<const double> s, matrix_view<const double> t, double temperature,
                          matrix_view<double> g) {
    return [=] { static_cast<void>(bitpq::distillation_loss(s, t, temperature, g)); };
  };
  bitpq_test::check_bad_inputs({
      {errc::non_finite, "student logits hold nan at row 3, class 4", distil(shaped(broken), shaped(good), 1, out)},
      {errc::non_finite, "teacher logits hold nan at row 3, class 4", distil(shaped(good), shaped(broken), 1, out)},
      {errc::bad_shape, "student logits of 5 rows and 7 classes beside teacher logits of 5 rows and 6 classes",
       distil(shaped(good), shaped(good).block(0, 0, 5, 6), 1, out)},
      {errc::bad_shape, "gradient of 5 x 6 for logits of 5 x 7",
       distil(shaped(good), shaped(good), 1, out.block(0, 0, 5, 6))},
      {errc::bad_shape, "logits of 0 rows and 7 classes",
       distil(shaped(good).block(0, 0, 0, 7), shaped(good).block(0, 0, 0, 7), 1, out.block(0, 0, 0, 7))},
      {errc::bad_params, "temperature 0 is not positive and finite", distil(shaped(good), shaped(good), 0, out)},
      {errc::bad_shape, "features of 5 x 7 beside 5 x 6",
       [&] { static_cast<void>(bitpq::feature_loss(shaped(good), shaped(good).block(0, 0, 5, 6), out)); }},
      {errc::bad_shape, "feature maps of 2 x 3 x 4 x 5 beside 2 x 3 x 5 x 4",
       [&] {
         static_cast<void>(bitpq::feature_loss({others.data(), 2, 3, 4, 5}, {others.data(), 2, 3, 5, 4},
                                               nchw_view<double>(gradient.data(), 2, 3, 4, 5)));
       }},
      {errc::non_finite, "student feature map holds inf at (1, 0)",
       [&] {
         static_cast<void>(bitpq::feature_loss({maps.data(), 2, 3, 4, 5}, {others.data(), 2, 3, 4, 5},
                                               nchw_view<double>(gradient.data(), 2, 3, 4, 5)));
       }},
  });
  CHECK(gradient == std::vector<double>(200, 3.0));
}
