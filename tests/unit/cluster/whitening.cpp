// SPDX-License-Identifier: Apache-2.0

#include "support/catch.hpp"
#include "support/kmeans_checks.hpp"

#include <Eigen/Core>

using bitpq::kmeans;
using bitpq::kmeans_params;
using bitpq::matrix_view;
using bitpq::whitening;
using bitpq_test::rows_of;

namespace {

Eigen::MatrixXd random_matrix(Eigen::Index rows, Eigen::Index cols, std::uint64_t seed) {
  const std::vector<double> values = bitpq_test::random_values<double>(static_cast<std::size_t>(rows * cols), seed);
  return Eigen::Map<const Eigen::MatrixXd>(values.data(), rows, cols);
}

/// A positive semi-definite d x d matrix of that rank.
Eigen::MatrixXd gram_of_rank(Eigen::Index d, Eigen::Index rank, std::uint64_t seed) {
  const Eigen::MatrixXd a = random_matrix(d, rank, seed);
  return a * a.transpose();
}

double largest(const std::vector<double>& values) {
  double most = 0;
  for (const double v : values) most = std::max(most, std::abs(v));
  return most;
}

/// How far invert(apply(v)) is from v, and |apply(v)|^2 from v^T (G / mean diagonal + damping I) v, at most,
/// relatively.
std::pair<double, double> errors_of(const whitening& white, const Eigen::MatrixXd& gram, double damping) {
  const auto d = static_cast<std::size_t>(gram.rows());
  const Eigen::MatrixXd metric =
      gram / (gram.trace() / static_cast<double>(d)) + damping * Eigen::MatrixXd::Identity(gram.rows(), gram.rows());
  const std::vector<double> points = bitpq_test::random_values<double>(20 * d, 9);
  std::vector<double> mapped = points;
  white.apply(std::span<double>(mapped), d);
  std::pair<double, double> worst{0, 0};
  for (std::size_t p = 0; p < 20; ++p) {
    const Eigen::Map<const Eigen::VectorXd> v(points.data() + p * d, gram.rows()),
        m(mapped.data() + p * d, gram.rows());
    const double want = v.dot(metric * v);
    worst.second = std::max(worst.second, std::abs(m.squaredNorm() - want) / want);
  }
  white.invert(std::span<double>(mapped), d);
  for (std::size_t i = 0; i < points.size(); ++i) mapped[i] -= points[i];
  worst.first = largest(mapped);
  return worst;
}

}  // namespace

TEST_CASE("whitening turns the damped Gram metric into the Euclidean one and back") {
  for (const Eigen::Index d : {1, 2, 3, 4, 9, 18, 64})
    for (const double damping : {0.0, 0.01, 0.5}) {
      INFO("d " << d << ", damping " << damping);
      const Eigen::MatrixXd gram = gram_of_rank(d, 2 * d + 4, 3);
      const whitening white(gram, damping);
      CHECK(!white.is_identity());
      const auto [round_trip, metric] = errors_of(white, gram, damping);
      CHECK(round_trip < 1e-10);
      CHECK(metric < 1e-12);
    }
}

TEST_CASE("whitening copes with Gram matrices of too low a rank") {
  for (const Eigen::Index d : {2, 5, 9, 32})
    for (const Eigen::Index rank : {Eigen::Index{1}, d / 2, d - 1}) {
      INFO("d " << d << ", rank " << rank);
      const Eigen::MatrixXd gram = gram_of_rank(d, rank, 4);
      const auto [round_trip, metric] = errors_of(whitening(gram), gram, 0.01);
      CHECK(round_trip < 1e-9);
      CHECK(metric < 1e-12);
      // Without damping a little is added all the same, so that there is a way back.
      const auto [hard_round_trip, hard_metric] = errors_of(whitening(gram, 0), gram, 0);
      CHECK(hard_round_trip < 1e-6);
      CHECK(hard_metric < 1e-2);
    }
  Eigen::MatrixXd dead = Eigen::MatrixXd::Zero(6, 6);  // four inputs that are always zero
  dead.topLeftCorner(2, 2) = gram_of_rank(2, 4, 1);
  const auto [round_trip, metric] = errors_of(whitening(dead), dead, 0.01);
  CHECK((round_trip < 1e-12 && metric < 1e-12));
}

TEST_CASE("an all-zero Gram matrix leaves the Euclidean metric") {
  const Eigen::MatrixXd zero = Eigen::MatrixXd::Zero(4, 4);
  const whitening white(zero);
  CHECK(white.is_identity());
  CHECK(whitening().is_identity());
  std::vector<float> points{1, 2, 3, 4};
  white.apply(std::span<float>(points), 4);
  white.invert(std::span<float>(points), 4);
  CHECK(points == std::vector<float>{1, 2, 3, 4});
}

TEST_CASE("a metric of one dimension is a scale") {
  const double nine = 9;
  std::vector<double> points{2, -4};
  const whitening white(matrix_view<const double>(&nine, 1, 1), 0.21);
  white.apply(std::span<double>(points), 1);
  CHECK(points[0] == Approx(2.2));  // sqrt(9 / 9 + 0.21) = 1.1
  CHECK(points[1] == Approx(-4.4));
  white.invert(std::span<double>(points), 1);
  CHECK((points[0] == Approx(2) && points[1] == Approx(-4)));
}

TEST_CASE("the two halves of a Gram matrix are averaged") {
  Eigen::MatrixXd skewed(2, 2), symmetric(2, 2);
  skewed << 2, 0.5, 1.5, 3;
  symmetric << 2, 1, 1, 3;
  std::vector<double> a{1, 2}, b = a;
  whitening(skewed).apply(std::span<double>(a), 2);
  whitening(symmetric).apply(std::span<double>(b), 2);
  CHECK(a == b);
}

TEMPLATE_TEST_CASE("the units of the inputs do not change a code", "", float, double) {
  using T = TestType;
  const std::vector<T> points = bitpq_test::random_values<T>(800 * 6, 12);
  const Eigen::MatrixXd gram = gram_of_rank(6, 8, 13);
  kmeans_params params;
  params.clusters = 16;
  params.tolerance = 0;
  params.max_iterations = 30;
  const auto plain = kmeans<T>(rows_of(points, 6), {}, params, {}, whitening(gram));
  const auto doubled = kmeans<T>(rows_of(points, 6), {}, params, {}, whitening(Eigen::MatrixXd(gram * 0x1.0p80)));
  CHECK(bitpq_test::same_bits(plain, doubled));
  for (const double scale : {1e6, 1e-6, 1e200, 1e-200}) {  // inputs by 1e3, 1e-3, ...
    const auto scaled = kmeans<T>(rows_of(points, 6), {}, params, {}, whitening(Eigen::MatrixXd(gram * scale)));
    CHECK(scaled.codes == plain.codes);
    CHECK(scaled.objective == Approx(plain.objective).epsilon(1e-6));
  }
}

TEMPLATE_TEST_CASE("k-means in a Gram metric beats plain k-means in that metric", "", float, double) {
  using T = TestType;
  constexpr std::size_t d = 4, n = 1500;
  const std::vector<T> points = bitpq_test::random_values<T>(n * d, 15);
  Eigen::MatrixXd gram = gram_of_rank(d, 2, 16);
  gram.diagonal().array() += 0.01;
  const whitening white(gram, 0);
  kmeans_params params;
  params.clusters = 32;
  const auto plain = kmeans<T>(rows_of(points, d), {}, params);
  const auto weighted = kmeans<T>(rows_of(points, d), {}, params, {}, white);
  const auto error = [&](const bitpq::kmeans_result<T>& result) {  // in the metric, whatever the run minimised
    double sum = 0;
    for (std::size_t p = 0; p < n; ++p) {
      Eigen::VectorXd e(d);
      for (std::size_t i = 0; i < d; ++i)
        e[static_cast<Eigen::Index>(i)] =
            static_cast<double>(points[p * d + i]) - static_cast<double>(result.codewords[result.codes[p] * d + i]);
      sum += e.dot(gram * e);
    }
    return sum / (gram.trace() / static_cast<double>(d));
  };
  CHECK(weighted.objective == Approx(error(weighted)).epsilon(std::is_same_v<T, float> ? 1e-4 : 1e-9));
  CHECK(error(weighted) < 0.7 * error(plain));
}
