// SPDX-License-Identifier: Apache-2.0
#pragma once

// k-means in which each group of points has a metric of its own and all share the codewords: assign by
// (v - c) D_j (v - c)^T; codeword k becomes (sum_j n_jk D_j)^-1 sum_j D_j s_jk, with n_jk points of group j and their
// sum s_jk. With D_j = F_j F_j^T both are cheap: points whitened once, codewords whitened for each group.

#include <bitpq/cluster/step.hpp>

#include <Eigen/Cholesky>
#include <Eigen/Core>

namespace bitpq {
inline namespace v1 {
namespace detail {

/// One group: `count` whitened points v F, contiguous, F, d x d row-major, and a weight per point (null: all 1).
template <scalar T>
struct metric_cell {
  const T* points;
  std::size_t count;
  const double* factor;
  const T* weights = nullptr;

  [[nodiscard]] double weight(std::size_t p) const noexcept {
    return weights == nullptr ? 1.0 : static_cast<double>(weights[p]);
  }
};

/// What an assignment found: of each codeword the normal equations of its mean, and the objective.
struct metric_sums {
  Eigen::MatrixXd moments;  // d x (K d)
  Eigen::MatrixXd values;   // d x K
  std::vector<double> weights;
  double objective = 0;

  metric_sums(std::size_t clusters, std::size_t d)
      : moments(Eigen::MatrixXd::Zero(static_cast<Eigen::Index>(d), static_cast<Eigen::Index>(clusters * d))),
        values(Eigen::MatrixXd::Zero(static_cast<Eigen::Index>(d), static_cast<Eigen::Index>(clusters))),
        weights(clusters) {}

  metric_sums& operator+=(const metric_sums& other) {
    moments += other.moments;
    values += other.values;
    for (std::size_t k = 0; k < weights.size(); ++k) weights[k] += other.weights[k];
    objective += other.objective;
    return *this;
  }
};

/// Assigns the points of one cell to `codewords` (K x d) and adds what they say of them.
template <scalar T>
void assign_cell(const metric_cell<T>& cell, std::span<const T> codewords, std::size_t d, metric_sums& sums) {
  using matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const std::size_t clusters = codewords.size() / d;
  const auto n = static_cast<Eigen::Index>(d), all = static_cast<Eigen::Index>(clusters);
  const Eigen::Map<const matrix> factor(cell.factor, n, n);
  const matrix whitened =
      Eigen::Map<const Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>(codewords.data(), all, n)
          .template cast<double>()
          .lazyProduct(factor);
  aligned_buffer<T> words(codewords.size());
  for (std::size_t i = 0; i < words.size(); ++i) words[i] = static_cast<T>(whitened.data()[i]);
  std::vector<std::uint16_t> codes(cell.count);
  codeword_columns<T>(std::as_const(words).span(), d, kernels<T>()).nearest({cell.points, cell.count * d}, codes, {});
  matrix totals = matrix::Zero(all, n);
  std::vector<double> counts(clusters);
  for (std::size_t p = 0; p < cell.count; ++p) {
    const T* const point = cell.points + p * d;
    const double weight = cell.weight(p);
    double* const total = totals.data() + codes[p] * d;
    for (std::size_t i = 0; i < d; ++i) total[i] += weight * static_cast<double>(point[i]);
    counts[codes[p]] += weight;
    sums.objective += weight * squared_distance(point, words.data() + codes[p] * d, d);
  }
  const Eigen::MatrixXd metric = factor.lazyProduct(factor.transpose());
  for (std::size_t k = 0; k < clusters; ++k) {
    if (!(counts[k] > 0)) continue;
    const auto column = static_cast<Eigen::Index>(k);
    sums.values.col(column) += factor.lazyProduct(totals.row(column).transpose());
    sums.moments.middleCols(column * n, n) += counts[k] * metric;
    sums.weights[k] += counts[k];
  }
}

/// Codewords to the minima of their normal equations; those without points to a slightly moved copy of the one with
/// most points, whose points they then share. Returns how many were empty.
template <scalar T>
std::size_t update_codewords(metric_sums& sums, std::span<T> codewords, std::size_t d, const random_stream& random) {
  const auto n = static_cast<Eigen::Index>(d);
  std::size_t empty = 0;
  for (std::size_t k = 0; k < sums.weights.size(); ++k) {
    if (!(sums.weights[k] > 0)) continue;
    const auto column = static_cast<Eigen::Index>(k);
    Eigen::MatrixXd moments = sums.moments.middleCols(column * n, n);
    moments.diagonal().array() += 1e-9 * moments.diagonal().mean();
    const Eigen::VectorXd word = moments.ldlt().solve(sums.values.col(column));
    for (std::size_t i = 0; i < d; ++i) codewords[k * d + i] = static_cast<T>(word(static_cast<Eigen::Index>(i)));
  }
  for (std::size_t k = 0; k < sums.weights.size(); ++k) {
    if (sums.weights[k] > 0) continue;
    const auto heaviest =
        static_cast<std::size_t>(std::max_element(sums.weights.begin(), sums.weights.end()) - sums.weights.begin());
    for (std::size_t i = 0; i < d; ++i)
      codewords[k * d + i] = codewords[heaviest * d + i] * static_cast<T>(1 + 0.01 * random.normal(empty * d + i));
    sums.weights[heaviest] /= 2;
    sums.weights[k] = sums.weights[heaviest];
    ++empty;
  }
  return empty;
}

}  // namespace detail

/// Improves `codewords` (K x d) for cells of points with a metric each, by Lloyd's iterations: at most max_iterations,
/// fewer when an iteration lowers the objective by less than `tolerance` of it. Returns the objective before the last
/// update. Same bits for any executor. Throws cancelled when params.progress says so. O(iterations n K d).
template <scalar T>
double metric_kmeans(std::span<const detail::metric_cell<T>> cells, std::span<T> codewords, std::size_t d,
                     const kmeans_params& params, executor_ref exec = {}) {
  const std::size_t chunks = (std::min)(cells.size(), std::size_t{16});
  double previous = std::numeric_limits<double>::infinity();
  for (std::size_t iteration = 0;; ++iteration) {
    std::vector<detail::metric_sums> partial(chunks, detail::metric_sums(codewords.size() / d, d));
    exec.bulk(chunks, [&](std::size_t, std::size_t c) {
      for (std::size_t i = c * cells.size() / chunks; i < (c + 1) * cells.size() / chunks; ++i)
        detail::assign_cell<T>(cells[i], codewords, d, partial[c]);
    });
    for (std::size_t c = 1; c < chunks; ++c) partial[0] += partial[c];
    const double objective = partial[0].objective;
    require(!params.progress || params.progress({"k-means", iteration, params.max_iterations, objective}),
            errc::cancelled, "cancelled in iteration ", iteration, " of ", params.max_iterations, " of k-means");
    if (iteration == params.max_iterations || previous - objective <= params.tolerance * previous) return objective;
    const random_stream random(params.seed, 100 + iteration);
    // A moved codeword may raise the objective for one iteration.
    previous = detail::update_codewords<T>(partial[0], codewords, d, random) > 0
                   ? std::numeric_limits<double>::infinity()
                   : objective;
  }
}

}  // namespace v1
}  // namespace bitpq
