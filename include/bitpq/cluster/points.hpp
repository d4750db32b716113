// SPDX-License-Identifier: Apache-2.0
#pragma once

// Points as k-means sees them: rows of a view, each with a weight, in the metric of a whitening. They are read where
// they lie whenever that is possible, and else gathered and whitened a block at a time; there is never a copy of all.

#include <bitpq/cluster/metric.hpp>

#include <span>

namespace bitpq {
inline namespace v1 {
namespace detail {

/// Contiguous points, n x d, and a weight each (empty: all 1).
template <scalar T>
struct weighted_points {
  std::span<const T> values;
  std::span<const T> weights;
  std::size_t d;

  [[nodiscard]] std::size_t size() const noexcept { return values.size() / d; }
  [[nodiscard]] const T* point(std::size_t p) const noexcept { return values.data() + p * d; }
  [[nodiscard]] double weight(std::size_t p) const noexcept {
    return weights.empty() ? 1.0 : static_cast<double>(weights[p]);
  }
};

/// Rows of consecutive elements.
template <scalar T>
struct point_rows {
  const T* data;
  std::ptrdiff_t stride;

  [[nodiscard]] const T* operator[](std::size_t p) const noexcept {
    return data + static_cast<std::ptrdiff_t>(p) * stride;
  }
};

/// The whole of them. Does not own what it was made from.
template <scalar T>
class point_set {
 public:
  /// Throws bad_shape when the whitening is of another dimension.
  point_set(const matrix_view<const T>& points, std::span<const T> weights, const whitening& white)
      : points_(points), weights_(weights), white_(white.is_identity() ? nullptr : &white) {
    white.apply(std::span<T>{}, points.cols());
  }
  explicit point_set(const weighted_points<T>& points)
      : points_(points.values.data(), points.size(), points.d), weights_(points.weights) {}

  [[nodiscard]] std::size_t size() const noexcept { return points_.rows(); }
  [[nodiscard]] std::size_t d() const noexcept { return points_.cols(); }
  [[nodiscard]] double weight(std::size_t p) const noexcept {
    return weights_.empty() ? 1.0 : static_cast<double>(weights_[p]);
  }
  /// The weights from `first` on; null: all 1.
  [[nodiscard]] const T* weights(std::size_t first) const noexcept {
    return weights_.empty() ? nullptr : weights_.data() + first;
  }

  /// Whether `read` needs no scratch.
  [[nodiscard]] bool in_place() const noexcept {
    return white_ == nullptr && (points_.stride(1) == 1 || points_.cols() == 1);
  }

  /// The points first .. first + n - 1, where they lie or in `scratch`, of n * d elements.
  [[nodiscard]] point_rows<T> read(std::size_t first, std::size_t n, T* scratch) const {
    if (in_place()) return {&points_(first, 0), points_.stride(0)};
    for (std::size_t p = 0; p < n; ++p)
      for (std::size_t i = 0; i < d(); ++i) scratch[p * d() + i] = points_(first + p, i);
    if (white_ != nullptr) white_->apply(std::span<T>(scratch, n * d()), d());
    return {scratch, static_cast<std::ptrdiff_t>(d())};
  }

  /// Writes the n points of those numbers, d elements each.
  template <class Index>
  void gather(const Index* which, std::size_t n, T* to) const {
    for (std::size_t p = 0; p < n; ++p)
      for (std::size_t i = 0; i < d(); ++i) to[p * d() + i] = points_(which[p], i);
    if (white_ != nullptr) white_->apply(std::span<T>(to, n * d()), d());
  }

  /// Writes the d elements of point p.
  void copy(std::size_t p, T* to) const { gather(&p, 1, to); }

 private:
  matrix_view<const T> points_;
  std::span<const T> weights_;
  const whitening* white_ = nullptr;
};

template <scalar T>
double squared_distance(const T* a, const T* b, std::size_t d) noexcept {
  double sum = 0;
  for (std::size_t i = 0; i < d; ++i) {
    const double difference = static_cast<double>(a[i]) - static_cast<double>(b[i]);
    sum += difference * difference;
  }
  return sum;
}

}  // namespace detail
}  // namespace v1
}  // namespace bitpq
