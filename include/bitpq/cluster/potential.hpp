// SPDX-License-Identifier: Apache-2.0
#pragma once

// Drawing points with a probability that grows with their distance from those drawn before.

#include <bitpq/cluster/sampling.hpp>
#include <bitpq/core/executor.hpp>
#include <bitpq/kernel/dispatch.hpp>

#include <numeric>

namespace bitpq {
inline namespace v1 {
namespace detail {

/// A sample of points with their potentials: weight x squared distance to the nearest chosen point. Kept up to date in
/// chunks whose sums are added in order, so that a draw does not depend on threads. The sample is held as columns,
/// scaled by a power of two so that squares neither overflow nor vanish.
template <scalar T>
class potentials {
 public:
  potentials(const point_set<T>& points, std::vector<std::size_t> sample)
      : kernels_(&bitpq::kernels<T>()),
        sample_(std::move(sample)),
        d_(points.d()),
        padded_(round_up(sample_.size(), kernels_->lanes)),
        columns_(padded_ * d_),
        weights_(padded_),
        values_(padded_),
        sums_(ceil_div(sample_.size(), chunk)) {
    std::vector<T> point(d_);
    T largest = 0;
    for (std::size_t s = 0; s < size(); ++s) {
      points.copy(sample_[s], point.data());
      for (std::size_t i = 0; i < d_; ++i) {
        columns_[i * padded_ + s] = point[i];
        largest = (std::max)(largest, std::abs(point[i]));
      }
      weights_[s] = static_cast<T>(points.weight(sample_[s]));
      heaviest_ = (std::max)(heaviest_, weights_[s]);
    }
    constexpr int most = std::numeric_limits<T>::max_exponent - 2;
    const T scale = largest > 0 ? std::ldexp(T{1}, std::clamp(-std::ilogb(largest), -most, most)) : T{1};
    for (T& v : columns_) v *= scale;
    for (std::size_t s = 0; s < size(); ++s) {  // nothing chosen yet: the first draw is by weight
      weights_[s] /= heaviest_;
      values_[s] = weights_[s];
      sums_[s / chunk] += static_cast<double>(values_[s]);
    }
  }

  [[nodiscard]] std::size_t size() const noexcept { return sample_.size(); }
  /// Which of the points is number s of the sample.
  [[nodiscard]] std::size_t index(std::size_t s) const noexcept { return sample_[s]; }
  [[nodiscard]] double value(std::size_t s) const noexcept { return static_cast<double>(values_[s]); }
  [[nodiscard]] double total() const noexcept { return std::accumulate(sums_.begin(), sums_.end(), 0.0); }

  /// Takes the chosen ones of the sample into account; O(size * d) each.
  void include(std::span<const std::size_t> chosen, executor_ref exec) {
    std::vector<T> words(chosen.size() * d_);
    for (std::size_t c = 0; c < chosen.size(); ++c)
      for (std::size_t i = 0; i < d_; ++i) words[c * d_ + i] = columns_[i * padded_ + chosen[c]];
    const bool first = !std::exchange(any_, true);
    exec.bulk(sums_.size(), [&](std::size_t, std::size_t task) {
      const std::size_t begin = task * chunk, n = (std::min)(chunk, padded_ - begin);
      T* const values = values_.data() + begin;
      if (first) std::fill_n(values, n, (std::numeric_limits<T>::max)());
      for (std::size_t c = 0; c < chosen.size(); ++c)
        sums_[task] = static_cast<double>(kernels_->lower_potentials(
            columns_.data() + begin, padded_, n, d_, words.data() + c * d_, weights_.data() + begin, values));
    });
  }

  /// One of the sample with probability proportional to its potential, u uniform in [0, 1); size() when every potential
  /// is zero.
  [[nodiscard]] std::size_t draw(double u) const noexcept {
    double left = u * total();
    std::size_t last = sums_.size();  // the last chunk to draw from: rounding may run past the end
    for (std::size_t c = 0; c < sums_.size(); ++c) {
      if (!(sums_[c] > 0)) continue;
      last = c;
      if (left < sums_[c]) break;
      left -= sums_[c];
    }
    return last == sums_.size() ? size() : draw_from(last, left);
  }

 private:
  /// The one of a chunk where its potentials add up to more than `left`, or its last one that has any.
  [[nodiscard]] std::size_t draw_from(std::size_t c, double left) const noexcept {
    std::size_t last = c * chunk;
    for (std::size_t s = c * chunk; s < (std::min)((c + 1) * chunk, size()); ++s) {
      if (!(values_[s] > 0)) continue;
      last = s;
      if (left < value(s)) break;
      left -= value(s);
    }
    return last;
  }

  static constexpr std::size_t chunk = 1024;  ///< a multiple of every kernel's lanes

  const kernel_table<T>* kernels_;
  std::vector<std::size_t> sample_;
  std::size_t d_;
  std::size_t padded_;
  aligned_buffer<T> columns_;  // d x padded
  aligned_buffer<T> weights_;  // the largest is 1; zero for the padding
  aligned_buffer<T> values_;
  std::vector<double> sums_;
  T heaviest_ = 0;
  bool any_ = false;
};

}  // namespace detail
}  // namespace v1
}  // namespace bitpq
