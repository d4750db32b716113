// SPDX-License-Identifier: Apache-2.0

#include "support/bad_inputs.hpp"
#include "support/kmeans_checks.hpp"

#include <Eigen/Core>

#include <limits>

using bitpq::errc;
using bitpq::kmeans_params;
using bitpq::matrix_view;
using bitpq::whitening;

namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr double inf = std::numeric_limits<double>::infinity();

/// k-means over six points of two dimensions, with one thing changed.
template <class Change>
std::function<void()> with(Change change) {
  return [change] {
    kmeans_params params;
    params.clusters = 2;
    std::vector<double> points{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, weights(6, 1.0);
    change(params, points, weights);
    static_cast<void>(bitpq::kmeans<double>(bitpq_test::rows_of(points, 2), weights, params));
  };
}

using params_type = kmeans_params;
using numbers = std::vector<double>;

std::function<void()> gram(std::size_t rows, std::size_t cols, numbers elements, double damping = 0.01) {
  return [=] { static_cast<void>(whitening(matrix_view<const double>(elements.data(), rows, cols), damping)); };
}

}  // namespace

TEST_CASE("k-means refuses bad parameters, points and weights") {
  bitpq_test::check_bad_inputs({
      {errc::bad_params, "clusters 0 outside 1 .. 65536",
       with([](params_type& p, numbers&, numbers&) { p.clusters = 0; })},
      {errc::bad_params, "clusters 65537 outside 1 .. 65536",
       with([](params_type& p, numbers&, numbers&) { p.clusters = 65537; })},
      {errc::bad_params, "max_iterations 0 is below 1",
       with([](params_type& p, numbers&, numbers&) { p.max_iterations = 0; })},
      {errc::bad_params, "tolerance -0.5 is not a finite number >= 0",
       with([](params_type& p, numbers&, numbers&) { p.tolerance = -0.5; })},
      {errc::bad_params, "tolerance inf is not a finite number >= 0",
       with([](params_type& p, numbers&, numbers&) { p.tolerance = inf; })},
      {errc::bad_params, "tolerance nan is not a finite number >= 0",
       with([](params_type& p, numbers&, numbers&) { p.tolerance = not_a_number; })},
      {errc::bad_params, "annealing -1 is not a finite number >= 0",
       with([](params_type& p, numbers&, numbers&) { p.annealing = -1; })},
      {errc::bad_params, "annealing nan is not a finite number >= 0",
       with([](params_type& p, numbers&, numbers&) { p.annealing = not_a_number; })},
      {errc::bad_params, "batch 0 is below 1", with([](params_type& p, numbers&, numbers&) { p.batch = 0; })},
      {errc::bad_params, "0 initial codeword elements for seeding_method::given",
       with([](params_type& p, numbers&, numbers&) { p.seeding = bitpq::seeding_method::given; })},
      {errc::bad_params, "4 initial codeword elements without seeding_method::given",
       with([](params_type& p, numbers&, numbers&) {
         p.initial = {1, 2, 3, 4};
       })},
      {errc::bad_shape, "3 initial codeword elements for 2 clusters of 2 dimensions",
       with([](params_type& p, numbers&, numbers&) {
         p.seeding = bitpq::seeding_method::given;
         p.initial = {1, 2, 3};
       })},
      {errc::non_finite, "initial codewords hold inf at 1", with([](params_type& p, numbers&, numbers&) {
         p.seeding = bitpq::seeding_method::given;
         p.initial = {1, inf, 3, 4};
       })},
      {errc::bad_params, "2 restarts from given codewords without annealing would repeat the first run",
       with([](params_type& p, numbers&, numbers&) {
         p.seeding = bitpq::seeding_method::given;
         p.initial = {1, 2, 3, 4};
         p.restarts = 2;
       })},
      {errc::bad_params, "7 clusters exceed 6 points", with([](params_type& p, numbers&, numbers&) {
         p.clusters = 7;
         p.limit = bitpq::cluster_limit::strict;
       })},
      {errc::non_finite, "points holds nan at (2, 1)",
       with([](params_type&, numbers& v, numbers&) { v[5] = not_a_number; })},
      {errc::non_finite, "points holds -inf at (0, 0)", with([](params_type&, numbers& v, numbers&) { v[0] = -inf; })},
      {errc::bad_shape, "5 weights for 6 points", with([](params_type&, numbers&, numbers& w) { w.pop_back(); })},
      {errc::bad_shape, "7 weights for 6 points", with([](params_type&, numbers&, numbers& w) { w.push_back(1); })},
      {errc::bad_params, "weight -1 of point 3 is not a finite number >= 0",
       with([](params_type&, numbers&, numbers& w) { w[3] = -1; })},
      {errc::bad_params, "weight nan of point 4 is not a finite number >= 0",
       with([](params_type&, numbers&, numbers& w) { w[4] = not_a_number; })},
      {errc::bad_params, "weight inf of point 0 is not a finite number >= 0",
       with([](params_type&, numbers&, numbers& w) { w[0] = inf; })},
      {errc::bad_params, "all 6 weights are zero", with([](params_type&, numbers&, numbers& w) { w.assign(6, 0.0); })},
      {errc::bad_shape, "k-means over 0 points of 3 dimensions",
       [] { static_cast<void>(bitpq::kmeans<float>(matrix_view<const float>(nullptr, 0, 3), {}, {})); }},
      {errc::bad_shape, "k-means over 3 points of 0 dimensions",
       [] { static_cast<void>(bitpq::kmeans<float>(matrix_view<const float>(nullptr, 3, 0), {}, {})); }},
  });
}

TEST_CASE("a metric refuses what is no Gram matrix, and points of another dimension") {
  const numbers identity{1, 0, 0, 1};
  bitpq_test::check_bad_inputs({
      {errc::bad_shape, "Gram matrix of 2 x 3", gram(2, 3, numbers(6, 1.0))},
      {errc::bad_params, "damping -0.01 is not a finite number >= 0", gram(2, 2, identity, -0.01)},
      {errc::bad_params, "damping nan is not a finite number >= 0", gram(2, 2, identity, not_a_number)},
      {errc::non_finite, "Gram matrix holds inf at (1, 0)", gram(2, 2, {1, 0, inf, 1})},
      {errc::bad_params, "Gram matrix with a trace of -2 is not positive semi-definite", gram(2, 2, {-1, 0, 0, -1})},
      {errc::bad_params, "Gram matrix with a trace of 0 is not positive semi-definite", gram(2, 2, {1, 0, 0, -1})},
      {errc::bad_params, "Gram matrix with a trace of 0 is not positive semi-definite", gram(2, 2, {0, 1, 1, 0})},
      {errc::bad_params, "Gram matrix of 2 x 2 is not positive semi-definite", gram(2, 2, {1, 3, 3, 1})},
      {errc::bad_params, "Gram matrix of 2 x 2 is not positive semi-definite", gram(2, 2, {1, 1.5, 1.5, 1})},
      {errc::bad_params, "Gram matrix of 2 x 2 is not positive semi-definite", gram(2, 2, {1, 1.5, 1.5, 1}, 0)},
      {errc::bad_shape, "points of 3 dimensions in a metric of 4 = d^2 elements",
       [identity] {
         std::vector<float> points(6, 1.0F);
         whitening(matrix_view<const double>(identity.data(), 2, 2)).apply(std::span<float>(points), 3);
       }},
      {errc::bad_shape, "5 elements are no points of 2 dimensions",
       [identity] {
         std::vector<float> points(5, 1.0F);
         whitening(matrix_view<const double>(identity.data(), 2, 2)).invert(std::span<float>(points), 2);
       }},
      {errc::bad_shape, "points of 2 dimensions in a metric of 9 = d^2 elements",
       [] {
         const Eigen::MatrixXd three = Eigen::MatrixXd::Identity(3, 3);
         const std::vector<float> points(8, 1.0F);
         static_cast<void>(bitpq::kmeans<float>(bitpq_test::rows_of(points, 2), {}, {}, {}, whitening(three)));
       }},
  });
}
