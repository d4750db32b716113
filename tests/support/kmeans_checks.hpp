// SPDX-License-Identifier: Apache-2.0
#pragma once

// Points to cluster, and what a clustering of them must satisfy, recomputed in double precision from the definitions.

#include "support/random_data.hpp"

#include <bitpq/cluster/batches.hpp>

#include <algorithm>
#include <vector>

namespace bitpq_test {

/// Seeding by drawing from the points.
inline constexpr bitpq::seeding_method drawing_methods[] = {
    bitpq::seeding_method::random, bitpq::seeding_method::kmeans_plus_plus, bitpq::seeding_method::kmeans_parallel};

/// n points of d dimensions, row-major, around `centres` well separated places; point p belongs to place p % centres.
template <bitpq::scalar T>
std::vector<T> blobs(std::size_t n, std::size_t d, std::size_t centres, std::uint64_t seed, double spread = 0.05) {
  const bitpq::random_stream noise(seed, 7), places(seed, 8);
  std::vector<T> points(n * d);
  for (std::size_t p = 0; p < n; ++p)
    for (std::size_t i = 0; i < d; ++i) {
      const std::size_t centre = p % centres;
      // The first coordinate alone keeps the places apart, whatever the others draw.
      const double place = i == 0 ? 3.0 * static_cast<double>(centre) : 2 * places.uniform(centre * d + i) - 1;
      points[p * d + i] = static_cast<T>(place + spread * noise.normal(p * d + i));
    }
  return points;
}

template <bitpq::scalar T>
bitpq::matrix_view<const T> rows_of(const std::vector<T>& points, std::size_t d) {
  return {points.data(), points.size() / d, d};
}

template <bitpq::scalar T>
double distance2(const bitpq::matrix_view<const T>& points, std::size_t p, const T* codeword) {
  double sum = 0;
  for (std::size_t i = 0; i < points.cols(); ++i) {
    const double difference = static_cast<double>(points(p, i)) - static_cast<double>(codeword[i]);
    sum += difference * difference;
  }
  return sum;
}

/// Sum of weight x squared distance to the codeword of each point.
template <bitpq::scalar T>
double objective_of(const bitpq::matrix_view<const T>& points, const std::vector<T>& weights,
                    const bitpq::kmeans_result<T>& result) {
  double sum = 0;
  for (std::size_t p = 0; p < points.rows(); ++p) {
    const double weight = weights.empty() ? 1.0 : static_cast<double>(weights[p]);
    sum += weight * distance2(points, p, result.codewords.data() + result.codes[p] * points.cols());
  }
  return sum;
}

/// By how much the squared distance of a point to its codeword exceeds that to its nearest one, at most, as a share of
/// the squared norms that the comparison of the two is computed from.
template <bitpq::scalar T>
double worst_detour(const bitpq::matrix_view<const T>& points, const bitpq::kmeans_result<T>& result) {
  const std::size_t d = points.cols();
  const std::vector<T> origin(d);
  double worst = 0;
  for (std::size_t p = 0; p < points.rows(); ++p) {
    const double own = distance2(points, p, result.codewords.data() + result.codes[p] * d);
    double least = own, scale = distance2(points, p, origin.data());
    for (std::size_t k = 0; k < result.clusters; ++k) {
      const T* const codeword = result.codewords.data() + k * d;
      least = std::min(least, distance2(points, p, codeword));
      scale = std::max(scale, distance2<T>({codeword, 1, d}, 0, origin.data()));
    }
    if (own > least) worst = std::max(worst, (own - least) / scale);
  }
  return worst;
}

/// The codewords in lexicographic order, for comparisons up to their numbering.
template <bitpq::scalar T>
std::vector<std::vector<double>> sorted_codewords(const bitpq::kmeans_result<T>& result) {
  const std::size_t d = result.codewords.size() / result.clusters;
  std::vector<std::vector<double>> words;
  for (std::size_t k = 0; k < result.clusters; ++k)
    words.emplace_back(result.codewords.begin() + k * d, result.codewords.begin() + (k + 1) * d);
  std::sort(words.begin(), words.end());
  return words;
}

/// The largest difference between elements of the two.
inline double difference(const std::vector<std::vector<double>>& a, const std::vector<std::vector<double>>& b) {
  if (a.size() != b.size()) return std::numeric_limits<double>::infinity();
  double worst = 0;
  for (std::size_t k = 0; k < a.size(); ++k)
    for (std::size_t i = 0; i < a[k].size(); ++i) worst = std::max(worst, std::abs(a[k][i] - b[k][i]));
  return worst;
}

template <bitpq::scalar T>
bool same_bits(const bitpq::kmeans_result<T>& a, const bitpq::kmeans_result<T>& b) {
  return std::equal(a.codewords.begin(), a.codewords.end(), b.codewords.begin(), b.codewords.end()) &&
         a.codes == b.codes && a.objective == b.objective && a.iterations == b.iterations && a.repaired == b.repaired &&
         a.stopped == b.stopped;
}

/// k-means stopped before its first update: its codewords are the seeds.
template <bitpq::scalar T>
bitpq::kmeans_result<T> only_seeded(const bitpq::matrix_view<const T>& points, const std::vector<T>& weights,
                                    bitpq::kmeans_params params) {
  params.progress = [](const bitpq::progress&) { return false; };
  return bitpq::kmeans<T>(points, weights, params);
}

}  // namespace bitpq_test
