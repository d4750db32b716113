// SPDX-License-Identifier: Apache-2.0
#pragma once

// The two halves of an iteration of k-means: assign each point to its nearest codeword, move each codeword to the
// weighted mean of its points.

#include <bitpq/cluster/neighbours.hpp>

#include <utility>
#include <vector>

namespace bitpq {
inline namespace v1 {
namespace detail {

/// What an assignment says about its clusters.
struct cluster_sums {
  std::vector<double> sums;     // K x d at a stride of sum_stride(d): of weight x (point - codeword)
  std::vector<double> weights;  // K
  double objective = 0;         // sum of weight x squared distance

  cluster_sums(std::size_t clusters, std::size_t d) : sums(clusters * sum_stride(d)), weights(clusters) {}

  void clear() noexcept {
    std::fill(sums.begin(), sums.end(), 0.0);
    std::fill(weights.begin(), weights.end(), 0.0);
    objective = 0;
  }
  void add(const cluster_sums& other) noexcept {
    for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += other.sums[i];
    for (std::size_t k = 0; k < weights.size(); ++k) weights[k] += other.weights[k];
    objective += other.objective;
  }
};

/// One pass over the points: they are assigned a block at a time and added to their clusters while the block is in the
/// cache. Sums are in double precision over chunks whose number depends on sizes alone, added in order, so that threads
/// change no bit. A chunk has sums of its own, so there are few where they would outweigh the points.
template <scalar T>
class lloyd_pass {
 public:
  lloyd_pass(const point_set<T>& points, std::size_t clusters, executor_ref exec)
      : points_(points),
        kernels_(&bitpq::kernels<T>()),
        exec_(exec),
        neighbours_(points, clusters, *kernels_),
        block_(std::clamp<std::size_t>((std::size_t{1} << 16) / points.d(), least_block, 2048)),
        own_(codeword_columns<T>::scratch(clusters, points.d(), *kernels_)),
        scratch_(exec.concurrency() * worker_scratch()) {
    const std::size_t n = points.size();
    const std::size_t most = (std::min)(std::size_t{16}, 1 + n / (clusters * (sum_stride(points.d()) + 1)));
    chunk_ = round_up(ceil_div(n, most), least_block);
    partial_.assign(ceil_div(n, chunk_), cluster_sums(clusters, points.d()));
  }

  /// Writes the code of each point and returns the sums, which are valid until the next run. `known`: codes are those
  /// of the run before. O(n K d).
  const cluster_sums& run(std::span<const T> codewords, std::span<std::uint16_t> codes, bool known = false) {
    const codeword_columns<T> columns(codewords, points_.d(), *kernels_);
    bool assigned = known && neighbours_.run(columns, codewords, codes, exec_);
    const std::size_t blocks = ceil_div(points_.size(), block_);
    if (!assigned && partial_.size() < (std::min)(exec_.concurrency(), blocks)) {
      exec_.bulk(blocks, [&](std::size_t worker, std::size_t b) {
        each_block(worker, b * block_, block_, [&](const point_rows<T>& rows, std::size_t first, std::size_t n) {
          columns.nearest(rows, n, scratch_of(worker), codes.data() + first);
        });
      });
      assigned = true;
    }
    exec_.bulk(partial_.size(), [&](std::size_t worker, std::size_t c) {
      cluster_sums& local = partial_[c];
      local.clear();
      each_block(worker, c * chunk_, chunk_, [&](const point_rows<T>& rows, std::size_t first, std::size_t n) {
        if (!assigned) columns.nearest(rows, n, scratch_of(worker), codes.data() + first);
        local.objective +=
            kernels_->add_to_clusters(rows.data, rows.stride, n, points_.d(), points_.weights(first),
                                      codes.data() + first, codewords.data(), local.sums.data(), local.weights.data());
      });
    });
    for (std::size_t c = 1; c < partial_.size(); ++c) partial_[0].add(partial_[c]);
    return partial_[0];
  }

 private:
  static constexpr std::size_t least_block = 512;  ///< points

  [[nodiscard]] std::size_t worker_scratch() const noexcept {
    return own_ + (points_.in_place() ? 0 : block_ * points_.d());
  }
  [[nodiscard]] T* scratch_of(std::size_t worker) noexcept { return scratch_.data() + worker * worker_scratch(); }

  /// f(rows, first point, points) for the blocks of the points [first, first + n), cut off at the last one.
  template <class F>
  void each_block(std::size_t worker, std::size_t first, std::size_t n, const F& f) {
    const std::size_t end = (std::min)(first + n, points_.size());
    for (; first < end; first += block_) {
      const std::size_t taken = (std::min)(block_, end - first);
      f(points_.read(first, taken, scratch_of(worker) + own_), first, taken);
    }
  }

  const point_set<T>& points_;
  const kernel_table<T>* kernels_;
  executor_ref exec_;
  neighbour_assignment<T> neighbours_;
  std::size_t
      block_;        // points: each call of the kernel prepares the codewords, and the points are to stay in the cache
  std::size_t own_;  // scratch of the kernel
  aligned_buffer<T> scratch_;
  std::size_t chunk_ = 0;
  std::vector<cluster_sums> partial_;
};

/// The `count` points that add most to the objective, the worst first and of equals the first; only such that add
/// anything. O(n (d + log count)), memory for `count`.
template <scalar T>
std::vector<std::size_t> worst_served(const point_set<T>& points, std::span<const std::uint16_t> codes,
                                      std::span<const T> codewords, std::size_t count) {
  constexpr std::size_t block = 512;
  const std::size_t d = points.d();
  aligned_buffer<T> scratch(points.in_place() ? 0 : block * d);
  std::vector<std::pair<double, std::size_t>> worst;  // a heap whose top is the least bad one
  for (std::size_t first = 0; first < points.size(); first += block) {
    const std::size_t n = (std::min)(block, points.size() - first);
    const point_rows<T> rows = points.read(first, n, scratch.data());
    for (std::size_t p = 0; p < n; ++p) {
      const double distance = squared_distance(rows[p], codewords.data() + codes[first + p] * d, d);
      const std::pair<double, std::size_t> entry{-points.weight(first + p) * distance, first + p};
      if (!(entry.first < 0) || (worst.size() == count && !(entry < worst.front()))) continue;
      if (worst.size() == count) {
        std::pop_heap(worst.begin(), worst.end());
        worst.pop_back();
      }
      worst.push_back(entry);
      std::push_heap(worst.begin(), worst.end());
    }
  }
  std::sort_heap(worst.begin(), worst.end());
  std::vector<std::size_t> indices;
  for (const auto& entry : worst) indices.push_back(entry.second);
  return indices;
}

/// Moves codewords without weight to the points that are worst served by those `before`, the worst first. Bounded: one
/// pass, each point once; when no point is left at a distance, the codeword stays where it is, a spare. Returns how
/// many were moved.
template <scalar T>
std::size_t repair_empty(const point_set<T>& points, std::span<const std::uint16_t> codes,
                         std::span<const double> weights, std::span<const T> before, std::span<T> codewords) {
  std::vector<std::size_t> empty;
  for (std::size_t k = 0; k < weights.size(); ++k)
    if (!(weights[k] > 0)) empty.push_back(k);
  if (empty.empty()) return 0;
  const std::vector<std::size_t> worst = worst_served(points, codes, before, empty.size());
  for (std::size_t i = 0; i < worst.size(); ++i) points.copy(worst[i], codewords.data() + empty[i] * points.d());
  return worst.size();
}

/// Moves codewords of d elements by their mean difference: sums[k] / weights[k].
template <scalar T>
void move_codewords(std::span<const double> sums, std::span<const double> weights, std::size_t d,
                    std::span<T> codewords) noexcept {
  for (std::size_t k = 0; k < weights.size(); ++k)
    for (std::size_t i = 0; i < d && weights[k] > 0; ++i) {
      T& element = codewords[k * d + i];
      element = static_cast<T>(static_cast<double>(element) + sums[k * sum_stride(d) + i] / weights[k]);
    }
}

/// Codewords to the means of their points; those without weight to badly served points. Returns how many were empty
/// and moved.
template <scalar T>
std::size_t update_codewords(const point_set<T>& points, std::span<const std::uint16_t> codes, const cluster_sums& sums,
                             std::span<T> codewords) {
  const std::vector<T> before(codewords.begin(), codewords.end());
  move_codewords<T>(sums.sums, sums.weights, points.d(), codewords);
  return repair_empty<T>(points, codes, sums.weights, before, codewords);
}

}  // namespace detail
}  // namespace v1
}  // namespace bitpq
