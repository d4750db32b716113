// SPDX-License-Identifier: Apache-2.0
#pragma once

// Assignment of points that have been assigned before. A codeword c is farther from a point than its last codeword a,
// u away, wherever |c - a| > 2 u (the triangle inequality; Phillips 2002, "Acceleration of k-means and related
// clustering algorithms"). So points are taken by their last codeword, some hundred at a time, and compared with its
// neighbours alone. In few dimensions and with many codewords that leaves a few per cent of them.
//
// No bound is kept from one iteration to the next, and the scores are those of the full assignment, by the same kernel:
// the codes are the same, to the bit, for a margin keeps all that rounding could confuse.

#include <bitpq/cluster/assignment.hpp>

#include <atomic>
#include <vector>

namespace bitpq {
inline namespace v1 {
namespace detail {

template <scalar T>
class neighbour_assignment {
 public:
  /// The points must outlive it.
  neighbour_assignment(const point_set<T>& points, std::size_t clusters, const kernel_table<T>& kernels)
      : points_(points), kernels_(&kernels), clusters_(clusters) {}

  /// Turns the last codes into those of the nearest codewords. False when that would take longer than a full
  /// assignment; some codes are those of the last time then. O(n (log n + neighbours d)).
  bool run(const codeword_columns<T>& columns, std::span<const T> codewords, std::span<std::uint16_t> codes,
           executor_ref exec) {
    if (points_.size() < 16 * clusters_ || points_.size() > 0xFFFFFFFF || clusters_ < 2 * overhead) return false;
    if (waits_ > 0) {
      --waits_;
      return false;
    }
    if (!measure(columns)) return false;
    sort(codes);
    transpose(codewords);
    memory_.resize(exec.concurrency());
    const std::size_t trial = ceil_div(clusters_, 32);
    std::atomic<std::size_t> compared{0};
    const auto take = [&](std::size_t first, std::size_t last) {
      exec.bulk(last - first, [&](std::size_t worker, std::size_t task) {
        compared += bucket(first + task, memory_[worker], columns, codewords, codes);
      });
    };
    take(0, trial);
    if (5 * (compared + overhead * starts_[trial]) > 4 * clusters_ * starts_[trial]) {
      waits_ = 8;
      return false;
    }
    take(trial, clusters_);
    return true;
  }

 private:
  /// What sorting and gathering a point costs, in codewords that it could be compared with.
  static constexpr std::size_t overhead = 160;
  static constexpr std::size_t block = 256;  ///< points that share a list of neighbours

  /// What one worker needs.
  struct workspace {
    aligned_buffer<T> distances, rows, words, half_norms, scratch;
    std::vector<std::uint16_t> listed, codes;

    void reserve(std::size_t clusters, std::size_t d, const kernel_table<T>& kernels) {
      if (!codes.empty()) return;
      distances = aligned_buffer<T>(round_up(clusters, kernels.lanes));
      rows = aligned_buffer<T>(block * d);
      words = aligned_buffer<T>(round_up(clusters, nearest_group) * d);
      half_norms = aligned_buffer<T>(round_up(clusters, nearest_group));
      scratch = aligned_buffer<T>(codeword_columns<T>::scratch(clusters, d, kernels));
      listed.resize(clusters);
      codes.resize(block);
    }
  };

  /// The largest squared norm of a codeword about the origin; false where squares of T do not serve.
  bool measure(const codeword_columns<T>& columns) {
    largest_ = columns.largest_norm();
    const double reach = std::is_same_v<T, float> ? 1e30 : 1e280;
    return largest_ > 1 / reach && largest_ < reach;
  }

  /// Points by their codes.
  void sort(std::span<const std::uint16_t> codes) {
    starts_.assign(clusters_ + 1, 0);
    order_.resize(codes.size());
    for (const std::uint16_t code : codes) ++starts_[code + std::size_t{1}];
    for (std::size_t k = 0; k < clusters_; ++k) starts_[k + 1] += starts_[k];
    for (std::size_t p = 0; p < codes.size(); ++p) order_[starts_[codes[p]]++] = static_cast<std::uint32_t>(p);
    for (std::size_t k = clusters_; k > 0; --k) starts_[k] = starts_[k - 1];
    starts_[0] = 0;
  }

  void transpose(std::span<const T> codewords) {
    const std::size_t d = points_.d();
    padded_ = round_up(clusters_, kernels_->lanes);
    transposed_ = aligned_buffer<T>(d * padded_);
    ones_ = aligned_buffer<T>(padded_);
    std::fill(ones_.begin(), ones_.end(), T{1});
    for (std::size_t k = 0; k < clusters_; ++k)
      for (std::size_t i = 0; i < d; ++i) transposed_[i * padded_ + k] = codewords[k * d + i];
  }

  /// The points whose last code is a. Returns how many comparisons that took.
  std::size_t bucket(std::size_t a, workspace& own, const codeword_columns<T>& columns, std::span<const T> codewords,
                     std::span<std::uint16_t> codes) {
    if (starts_[a] == starts_[a + 1]) return 0;
    const std::size_t d = points_.d();
    const T* const codeword = codewords.data() + a * d;
    own.reserve(clusters_, d, *kernels_);
    std::fill(own.distances.begin(), own.distances.end(), (std::numeric_limits<T>::max)());
    static_cast<void>(kernels_->lower_potentials(transposed_.data(), padded_, padded_, d, codeword, ones_.data(),
                                                 own.distances.data()));
    std::size_t compared = 0;
    for (std::size_t first = starts_[a]; first < starts_[a + 1]; first += block) {
      const std::size_t n = (std::min)(block, starts_[a + 1] - first);
      const std::uint32_t* const which = order_.data() + first;
      points_.gather(which, n, own.rows.data());
      double farthest = 0;
      for (std::size_t p = 0; p < n; ++p)
        farthest = (std::max)(farthest, squared_distance(own.rows.data() + p * d, codeword, d));
      const std::size_t count = list(farthest, own);
      const nearest_words<T> words = columns.listed(own.listed.data(), count, own.words.data(), own.half_norms.data());
      kernels_->nearest(own.rows.data(), static_cast<std::ptrdiff_t>(d), n, words, own.scratch.data(),
                        own.codes.data());
      for (std::size_t p = 0; p < n; ++p) codes[which[p]] = own.listed[own.codes[p]];
      compared += n * count;
    }
    return compared;
  }

  /// Lists, in order, the codewords that may be nearest to a point at that squared distance u^2. What is left out has
  /// |c - a|^2 > 4 u^2 + s, so its squared distance from the point exceeds u^2 by s / 2 at least; scores of T are off
  /// by less than s / 16.
  std::size_t list(double farthest, workspace& own) const noexcept {
    const double eps = static_cast<double>(std::numeric_limits<T>::epsilon());
    const double slack = 64 * static_cast<double>(points_.d() + 4) * eps * (largest_ + farthest);
    const T within = static_cast<T>((4 * farthest + slack) * 1.0001);
    std::size_t count = 0;
    for (std::size_t k = 0; k < clusters_; ++k) {
      own.listed[count] = static_cast<std::uint16_t>(k);
      count += own.distances[k] <= within ? 1 : 0;
    }
    return count;
  }

  const point_set<T>& points_;
  const kernel_table<T>* kernels_;
  std::size_t clusters_;
  std::size_t waits_ = 0;  // assignments before the next trial
  double largest_ = 0;
  std::vector<std::uint32_t> order_;
  std::vector<std::size_t> starts_;
  std::size_t padded_ = 0;
  aligned_buffer<T> transposed_, ones_;  // the codewords, d x padded
  std::vector<workspace> memory_;
};

}  // namespace detail
}  // namespace v1
}  // namespace bitpq
