// SPDX-License-Identifier: Apache-2.0
#pragma once

// k-means of more points than memory holds: a reader hands them over batch after batch, pass after pass. The first pass
// moves the codewords after every batch (Sculley 2010, "Web-scale k-means clustering"), so that they are good after one
// reading; later passes are Lloyd's.

#include <bitpq/cluster/kmeans.hpp>

#include <functional>

namespace bitpq {
inline namespace v1 {

/// Fills `points`, rows of d elements, with the next ones and returns how many rows those are; 0 ends a pass, and the
/// call after that begins the next one, which must bring the same points again.
template <scalar T>
using batch_reader = std::function<std::size_t(std::span<T> points)>;

namespace detail {

template <scalar T>
class batched_kmeans {
 public:
  batched_kmeans(const batch_reader<T>& read, std::size_t d, const kmeans_params& params, executor_ref exec,
                 const whitening& white)
      : read_(read),
        d_(d),
        params_(params),
        exec_(exec),
        white_(white),
        buffer_(params.batch * d),
        codes_(params.batch) {}

  kmeans_result<T> run() {
    seed();
    for (double previous = 0;; ++result_.iterations) {
      const bool first = result_.iterations == 0;
      const cluster_sums sums = first ? stochastic_pass() : whole_pass();
      result_.objective = sums.objective;
      const bool go_on = !params_.progress ||
                         params_.progress({"k-means", result_.iterations, params_.max_iterations, result_.objective});
      const bool settled = result_.iterations > 1 && previous - sums.objective <= params_.tolerance * previous;
      result_.stopped = !go_on    ? stop_reason::cancelled
                        : settled ? stop_reason::converged
                                  : stop_reason::max_iterations;
      if (!go_on || settled || result_.iterations == params_.max_iterations) break;
      if (!first) update(sums.sums, sums.weights);
      previous = sums.objective;
    }
    white_.invert(result_.codewords.span(), d_);
    return std::move(result_);
  }

 private:
  /// The next batch; false at the end of the pass.
  bool next() {
    rows_ = read_(buffer_.span());
    require(rows_ <= params_.batch, errc::bad_shape, "a reader returned ", rows_, " points into a batch of ",
            params_.batch);
    require_finite(matrix_view<const T>(buffer_.data(), rows_, d_), "batch");
    in_pass_ += rows_;
    if (rows_ > 0) return true;
    require(result_.iterations == 0 || in_pass_ == in_first_pass_, errc::bad_shape, "a reader brought ", in_pass_,
            " points after a pass of ", in_first_pass_);
    in_first_pass_ = std::exchange(in_pass_, 0);
    return false;
  }
  [[nodiscard]] point_set<T> batch() const { return {{buffer_.data(), rows_, d_}, {}, white_}; }
  [[nodiscard]] std::span<std::uint16_t> codes() noexcept { return std::span(codes_).first(rows_); }

  /// From the first batch, which stays in the buffer.
  void seed() {
    require(next(), errc::bad_shape, "k-means over a reader without points");
    const point_set<T> points = batch();
    result_.clusters = limit_clusters(params_.clusters, rows_, params_.limit);
    result_.codewords = seed_codewords(points, result_.clusters, params_, 0, white_, exec_);
  }

  /// From the batch in the buffer to the end of the pass. Each codeword moves to the mean of all that it was given.
  cluster_sums stochastic_pass() {
    cluster_sums all(result_.clusters, d_);
    do {
      const point_set<T> points = batch();
      lloyd_pass<T> pass(points, result_.clusters, exec_);
      const cluster_sums& sums = pass.run(std::as_const(result_.codewords).span(), codes());
      all.add(sums);
      update(sums.sums, all.weights);
    } while (next());
    return all;
  }

  /// Under codewords that stand still.
  cluster_sums whole_pass() {
    cluster_sums all(result_.clusters, d_);
    while (next()) {
      const point_set<T> points = batch();
      lloyd_pass<T> pass(points, result_.clusters, exec_);
      all.add(pass.run(std::as_const(result_.codewords).span(), codes()));
      last_rows_ = rows_;
    }
    rows_ = last_rows_;
    return all;
  }

  /// By the sums over the weights; codewords without weight go where the batch in the buffer is served worst.
  void update(std::span<const double> sums, std::span<const double> weights) {
    const std::vector<T> before(result_.codewords.begin(), result_.codewords.end());
    move_codewords<T>(sums, weights, d_, result_.codewords.span());
    result_.repaired += repair_empty<T>(batch(), codes(), weights, before, result_.codewords.span());
  }

  const batch_reader<T>& read_;
  std::size_t d_;
  const kmeans_params& params_;
  executor_ref exec_;
  const whitening& white_;
  aligned_buffer<T> buffer_;
  std::vector<std::uint16_t> codes_;
  std::size_t rows_ = 0, last_rows_ = 0;
  std::size_t in_pass_ = 0, in_first_pass_ = 0;  // points
  kmeans_result<T> result_;
};

}  // namespace detail

/// k-means of the points of d dimensions that `read` brings, kmeans_params::batch at a time and all with weight 1.
/// Seeds come from the first batch. An iteration is a pass; the objective of the first is that of codewords on the
/// move, later ones never rise, and the last is that of the codewords returned. `codes` stay empty. Restarts and
/// annealing are refused as bad_params; bad_shape without points or for more of them than were asked for, non_finite.
/// Memory: a batch and what k-means needs for one.
template <scalar T>
[[nodiscard]] kmeans_result<T> kmeans_batches(const batch_reader<T>& read, std::size_t d, const kmeans_params& params,
                                              executor_ref exec = {}, const whitening& white = {}) {
  params.validate();
  require(d > 0, errc::bad_shape, "k-means over points of 0 dimensions");
  require(params.restarts == 0, errc::bad_params, "restarts ", params.restarts, " in k-means by batches");
  require(!(params.annealing > 0), errc::bad_params, "annealing ", params.annealing, " in k-means by batches");
  return detail::batched_kmeans<T>(read, d, params, exec, white).run();
}

}  // namespace v1
}  // namespace bitpq
