// SPDX-License-Identifier: Apache-2.0

#include "support/catch.hpp"
#include "support/guarded_array.hpp"
#include "support/layers.hpp"
#include "support/thread_executor.hpp"

using bitpq::aligned_buffer;
using bitpq::importance;
using bitpq::matrix_view;
using bitpq_test::row_major;

namespace {

aligned_buffer<double> buffer(const std::vector<double>& values) {
  return aligned_buffer<double>(std::span<const double>(values));
}

/// Positive semi-definite moments of that many groups.
importance random_importance(std::size_t groups, std::size_t cols, std::uint64_t seed) {
  std::vector<double> all;
  for (std::size_t g = 0; g < groups; ++g) {
    const std::vector<double> values = bitpq_test::random_values<double>(cols * (cols + 2), seed + g);
    const Eigen::Map<const row_major> a(values.data(), static_cast<Eigen::Index>(cols),
                                        static_cast<Eigen::Index>(cols + 2));
    const row_major h = a * a.transpose();
    for (Eigen::Index i = 0; i < h.rows(); ++i)
      for (Eigen::Index j = 0; j < h.cols(); ++j) all.push_back(h(std::max(i, j), std::min(i, j)));
  }
  return {groups, cols, buffer(all)};
}

}  // namespace

TEST_CASE("the shared Gram matrix is the sum of diagonal blocks, by hand") {
  // Two groups of four columns, in blocks of two.
  const importance h(2, 4, buffer({1,  2, 0, 9, 2, 5,  9, 0, 0, 9, 3,  1, 9, 0, 1, 4,
                                   10, 1, 7, 7, 1, 20, 7, 7, 7, 7, 30, 2, 7, 7, 2, 40}));
  CHECK((h.groups() == 2 && h.cols() == 4 && h.gram(1)(3, 2) == 2));
  const auto shared = [&](std::vector<std::size_t> positions, std::size_t width) {
    const aligned_buffer<double> sum = h.shared_gram(positions, 2, width);
    return std::vector<double>(sum.begin(), sum.end());
  };
  CHECK(shared({0}, 2) == std::vector<double>{11, 3, 3, 25});
  CHECK(shared({1}, 2) == std::vector<double>{33, 3, 3, 44});
  CHECK(shared({0, 1}, 2) == std::vector<double>{44, 6, 6, 69});
  CHECK(shared({0, 1}, 1) == std::vector<double>{44});
  CHECK(shared({}, 2) == std::vector<double>(4, 0.0));
}

TEST_CASE("moments are accepted with the asymmetry that rounding leaves") {
  CHECK(importance(1, 2, buffer({1, 0.5, 0.5 + 9e-7, 1})).cols() == 2);
  CHECK(importance(2, 1, buffer({0, 0})).groups() == 2);
  CHECK(importance().groups() == 0);
}

TEMPLATE_TEST_CASE("the output energy is tr(E H E^T) over the groups", "", float, double) {
  using T = TestType;
  for (const std::size_t groups : std::vector<std::size_t>{1, 2, 5})
    for (const std::size_t cols : std::vector<std::size_t>{1, 3, 8, 17, 40})
      for (const std::size_t rows_each : std::vector<std::size_t>{1, 4, 9}) {
        INFO(groups << " groups of " << rows_each << " x " << cols);
        const importance h = random_importance(groups, cols, 3 * cols);
        const std::size_t rows = groups * rows_each;
        const std::vector<T> e = bitpq_test::random_values<T>(rows * cols, rows);
        double want = 0;
        for (std::size_t g = 0; g < groups; ++g) {
          const row_major part =
              bitpq_test::to_eigen(matrix_view<const T>(e.data() + g * rows_each * cols, rows_each, cols));
          want += (part * bitpq_test::to_eigen(h.gram(g)) * part.transpose()).trace();
        }
        const double got = bitpq::output_energy<T>({e.data(), rows, cols}, h);
        CHECK(got == Approx(want).epsilon(1e-12));
        for (const bitpq_test::layout order : {bitpq_test::layout::transposed, bitpq_test::layout::reversed}) {
          bitpq_test::guarded_array<T, 2> strided({rows, cols}, order, e);
          CHECK(bitpq::output_energy<T>(bitpq_test::view(strided), h) == got);
        }
        CHECK(bitpq::output_energy<T>({e.data(), rows, cols}, h, bitpq_test::thread_executor(3)) == got);
        CHECK(bitpq::output_energy<T>({e.data(), rows, cols}, h, bitpq_test::backward_executor{}) == got);
      }
}

TEST_CASE("the output energy is the mean squared output over the calibration inputs") {
  const bitpq::layer_geometry g = bitpq::layer_geometry::conv2d(6, 4, {3, 3}, {.padding = {1, 1}, .groups = 2});
  const std::vector<double> x = bitpq_test::correlated_images<double>(2, 4, {6, 7}, 9);
  const std::vector<double> w = bitpq_test::random_values<double>(g.rows() * g.cols(), 10);
  double sum = 0;
  Eigen::Index columns = 0;
  for (std::size_t group = 0; group < 2; ++group) {
    const row_major in = bitpq_test::naive_columns(g, group, bitpq::nchw_view<const double>(x.data(), 2, 4, 6, 7));
    const Eigen::Map<const row_major> part(w.data() + group * 3 * g.cols(), 3, static_cast<Eigen::Index>(g.cols()));
    sum += (part * in).squaredNorm();
    columns = in.cols();
  }
  const importance h = bitpq_test::moments_of(g, x, 2, {6, 7});
  CHECK(bitpq::output_energy<double>({w.data(), g.rows(), g.cols()}, h) ==
        Approx(sum / static_cast<double>(columns)).epsilon(1e-12));
}
