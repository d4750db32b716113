// SPDX-License-Identifier: Apache-2.0
#pragma once

// The codewords that are best for given codes: sum_r u_r (w_r - q_r) H_g (w_r - q_r)^T, over the rows r of all groups g
// with their weights u_r, is quadratic in them, and every codeword is coupled with every other by the rows in which
// both appear. K d unknowns; conjugate gradients (Hestenes and Stiefel 1952), preconditioned by what each codeword
// would need alone.

#include <bitpq/quantize/output_metric.hpp>
#include <bitpq/quantize/pq_draft.hpp>

namespace bitpq {
inline namespace v1 {
namespace detail {

/// The least-squares problem of one layer: all its groups share the codewords.
template <scalar T>
class codeword_system {
 public:
  /// `w` is contiguous, rows x cols; one metric per group, whose rows follow each other.
  codeword_system(const pq_draft<T>& draft, const T* w, std::span<const output_metric<T>> metrics, executor_ref exec)
      : draft_(draft), w_(w), metrics_(metrics), exec_(exec), group_rows_(draft.format.rows / metrics.size()) {
    for (const output_metric<T>& metric : metrics_) static_cast<void>(metric.moments(exec));
  }

  /// The negative gradient, over 2, at the draft's codewords: of each codeword the sum of its blocks' [(W - Q) H]_j.
  [[nodiscard]] std::vector<double> residual() const {
    return gather([&](std::size_t row, std::size_t n, T* out) {
      const std::size_t cols = draft_.format.cols;
      draft_.decode_rows(row, n, out, cols);
      for (std::size_t i = 0; i < n * cols; ++i) out[i] = w_[row * cols + i] - out[i];
    });
  }

  /// The normal matrix times x, codewords as in the draft.
  [[nodiscard]] std::vector<double> times(std::span<const double> x) const {
    std::vector<T> words(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) words[i] = static_cast<T>(x[i]);
    return gather([&](std::size_t row, std::size_t n, T* out) {
      draft_.decode_rows(row, n, out, draft_.format.cols, words.data());
    });
  }

  /// For each codeword the d x d sum of its blocks' H_jj, factorised; those that no block names have none.
  [[nodiscard]] std::vector<Eigen::LDLT<Eigen::MatrixXd>> diagonal() const {
    const code_format& f = draft_.format;
    const auto d = static_cast<Eigen::Index>(f.block_size);
    std::vector<Eigen::MatrixXd> sums(f.codebooks * f.codewords);
    std::vector<double> count(f.codewords);
    for (std::size_t g = 0; g < metrics_.size(); ++g)
      for (std::size_t j = 0; j < f.blocks(); ++j) {
        std::fill(count.begin(), count.end(), 0);
        for (std::size_t r = g * group_rows_; r < (g + 1) * group_rows_; ++r)
          count[draft_.code(r, j)] += draft_.row_weight(r);
        Eigen::MatrixXd block = Eigen::MatrixXd::Zero(d, d);
        for (std::size_t i = 0; i < f.width_of(j); ++i)
          for (std::size_t k = 0; k < f.width_of(j); ++k)
            block(static_cast<Eigen::Index>(i), static_cast<Eigen::Index>(k)) =
                metrics_[g](j * f.block_size + i, j * f.block_size + k);
        for (std::size_t k = 0; k < f.codewords; ++k) {
          if (!(count[k] > 0)) continue;
          Eigen::MatrixXd& sum = sums[f.codebook_of(j) * f.codewords + k];
          if (sum.size() == 0) sum = Eigen::MatrixXd::Zero(d, d);
          sum += count[k] * block;
        }
      }
    std::vector<Eigen::LDLT<Eigen::MatrixXd>> factors(sums.size());
    for (std::size_t k = 0; k < sums.size(); ++k)
      if (sums[k].size() > 0) {
        sums[k].diagonal().array() += 1e-9 * sums[k].diagonal().mean();  // columns that only cut blocks lack
        factors[k].compute(sums[k]);
      }
    return factors;
  }

 private:
  /// For each codeword the sum, over its blocks, of the blocks of X H; fill(row, n, out) writes n rows of X. Runs of
  /// rows depend on sizes alone and are added in order.
  template <class Fill>
  std::vector<double> gather(const Fill& fill) const {
    const code_format& f = draft_.format;
    const std::size_t run = (std::max)(std::size_t{64}, ceil_div(f.rows, std::size_t{16}));
    const std::size_t per_group = ceil_div(group_rows_, run), runs = metrics_.size() * per_group;
    std::vector<std::vector<double>> partial(runs);
    exec_.bulk(runs, [&](std::size_t, std::size_t task) {
      const std::size_t group = task / per_group, offset = task % per_group * run;
      const std::size_t row = group * group_rows_ + offset, n = (std::min)(run, group_rows_ - offset);
      const packed_matrix<T>& h = metrics_[group].moments({});
      const std::size_t ld = h.padded_cols();
      aligned_buffer<T> x(n * f.cols), product(n * ld);
      fill(row, n, x.data());
      h.multiply(x.data(), f.cols, n, 0, f.cols, 0, h.panels(), product.data(), ld, false);
      partial[task] = scatter(row, n, product.data(), ld);
    });
    for (std::size_t task = 1; task < runs; ++task)
      for (std::size_t i = 0; i < partial[0].size(); ++i) partial[0][i] += partial[task][i];
    return std::move(partial[0]);
  }

  std::vector<double> scatter(std::size_t row, std::size_t n, const T* product, std::size_t ld) const {
    const code_format& f = draft_.format;
    std::vector<double> sums(f.codebooks * f.codewords * f.block_size);
    for (std::size_t r = 0; r < n; ++r) {
      const double weight = draft_.row_weight(row + r);
      for (std::size_t j = 0; j < f.blocks(); ++j) {
        double* const to = &sums[(f.codebook_of(j) * f.codewords + draft_.code(row + r, j)) * f.block_size];
        const T* const from = product + r * ld + j * f.block_size;
        for (std::size_t i = 0; i < f.width_of(j); ++i) to[i] += weight * static_cast<double>(from[i]);
      }
    }
    return sums;
  }

  const pq_draft<T>& draft_;
  const T* w_;
  std::span<const output_metric<T>> metrics_;
  executor_ref exec_;
  std::size_t group_rows_;
};

}  // namespace detail

/// Moves the codewords of `draft` towards the least squared output error under its codes, by at most `steps` steps of
/// conjugate gradients; w is rows x cols, contiguous. The error never rises beyond rounding; codewords that no code
/// names stay. O(steps rows cols^2 / groups).
template <scalar T>
void fit_codewords(pq_draft<T>& draft, const T* w, std::span<const output_metric<T>> metrics, std::size_t steps,
                   executor_ref exec = {}) {
  const detail::codeword_system<T> system(draft, w, metrics, exec);
  const std::vector<Eigen::LDLT<Eigen::MatrixXd>> diagonal = system.diagonal();
  const std::size_t size = draft.codewords.size(), d = draft.format.block_size;
  const auto map = [](std::vector<double>& v) {
    return Eigen::Map<Eigen::VectorXd>(v.data(), static_cast<Eigen::Index>(v.size()));
  };
  const auto preconditioned = [&](std::vector<double>& r) {
    std::vector<double> z(size);
    for (std::size_t k = 0; k < diagonal.size(); ++k)
      if (diagonal[k].rows() > 0)
        map(z).segment(static_cast<Eigen::Index>(k * d), static_cast<Eigen::Index>(d)) =
            diagonal[k].solve(map(r).segment(static_cast<Eigen::Index>(k * d), static_cast<Eigen::Index>(d)));
    return z;
  };
  std::vector<double> x(size), r = system.residual(), z = preconditioned(r), p = z;
  double energy = map(r).dot(map(z));
  const double enough = 1e-8 * energy;
  for (std::size_t step = 0; step < steps && energy > enough; ++step) {
    std::vector<double> product = system.times(p);
    const double curvature = map(p).dot(map(product));
    if (!(curvature > 0)) break;
    map(x) += energy / curvature * map(p);
    map(r) -= energy / curvature * map(product);
    z = preconditioned(r);
    const double next = map(r).dot(map(z));
    map(p) = map(z) + next / energy * map(p);
    energy = next;
  }
  for (std::size_t i = 0; i < size; ++i)
    draft.codewords[i] = static_cast<T>(static_cast<double>(draft.codewords[i]) + x[i]);
}

}  // namespace v1
}  // namespace bitpq
