// SPDX-License-Identifier: Apache-2.0
#pragma once

// How far the blocks of a weight matrix spread, for any order of its input channels: log det of the covariance of the
// blocks that share a codebook, summed over the codebooks. All of it follows from the second moments of the columns, so
// that what a swap of two channels changes costs no look at the weights.

#include <bitpq/codec/code_format.hpp>
#include <bitpq/quantize/gram_accumulator.hpp>
#include <bitpq/quantize/permute.hpp>

namespace bitpq {
inline namespace v1 {
namespace detail {

/// Second moments and means of the columns of a weight matrix over its rows.
struct column_moments {
  std::size_t cols = 0;
  aligned_buffer<double> products;  ///< cols x cols
  std::vector<double> means;
};

/// Columns scaled by the root of the energy of the input that they meet, where `statistics` tell it.
template <scalar T>
column_moments weight_moments(const matrix_view<const T>& w, const importance* statistics) {
  gram_accumulator gram(layer_geometry::linear(1, w.cols()));  // rows of weights as inputs
  gram.add(w.transposed());
  const importance sums = gram.finish();
  column_moments moments{w.cols(), aligned_buffer<double>(w.cols() * w.cols()), std::vector<double>(w.cols())};
  std::vector<double> scale(w.cols(), 1);
  for (std::size_t c = 0; c < w.cols(); ++c) {
    if (statistics != nullptr) scale[c] = std::sqrt(statistics->gram(0)(c, c));
    for (std::size_t r = 0; r < w.rows(); ++r) moments.means[c] += static_cast<double>(w(r, c));
    moments.means[c] *= scale[c] / static_cast<double>(w.rows());
  }
  for (std::size_t i = 0; i < w.cols(); ++i)
    for (std::size_t j = 0; j < w.cols(); ++j)
      moments.products[i * w.cols() + j] = sums.gram(0)(i, j) * scale[i] * scale[j];
  return moments;
}

class block_spread {
 public:
  /// `unit` columns make a channel.
  block_spread(column_moments moments, const code_format& format, std::size_t unit)
      : moments_(std::move(moments)), format_(format), unit_(unit), sums_(format.codebooks) {
    double trace = 0;
    for (std::size_t c = 0; c < moments_.cols; ++c) trace += moments_.products[c * moments_.cols + c];
    // Columns of zeros have no determinant; this much variance on the diagonal is below what any codebook resolves.
    floor_ = trace > 0 ? 1e-6 * trace / static_cast<double>(moments_.cols) : 1;
  }

  [[nodiscard]] std::size_t channels() const noexcept { return moments_.cols / unit_; }
  [[nodiscard]] std::size_t unit() const noexcept { return unit_; }
  [[nodiscard]] const channel_order& order() const noexcept { return order_; }
  [[nodiscard]] double objective() const noexcept { return objective_; }

  /// Sum of squares of a channel's weights, per row.
  [[nodiscard]] double energy(std::size_t channel) const noexcept {
    double sum = 0;
    for (std::size_t c = channel * unit_; c < (channel + 1) * unit_; ++c)
      sum += moments_.products[c * moments_.cols + c];
    return sum;
  }

  /// O(cols d).
  void arrange(channel_order order) {
    order_ = std::move(order);
    objective_ = 0;
    for (book_sums& book : sums_) book = book_sums(format_.block_size);
    for (std::size_t j = 0; j < format_.blocks(); ++j) add(j, 1);
    for (book_sums& book : sums_) objective_ += book.log_det = log_det(book);
  }

  /// Swaps the channels at two places if that lowers the objective by more than rounding. O(d^3).
  bool swap_if_better(std::size_t a, std::size_t b) {
    changing_.clear();
    touch(a);
    touch(b);
    double change = 0;
    for (const std::size_t j : changing_) add(j, -1);
    std::swap(order_[a], order_[b]);
    for (const std::size_t j : changing_) add(j, 1);
    for (const std::size_t book : books_) {
      const double before = sums_[book].log_det;
      change += (sums_[book].log_det = log_det(sums_[book])) - before;
    }
    if (change < -1e-9) {
      objective_ += change;
      return true;
    }
    std::swap(order_[a], order_[b]);
    for (std::size_t i = 0; i < books_.size(); ++i) std::swap(sums_[books_[i]], saved_[i]);
    return false;
  }

 private:
  /// Over the blocks of a codebook.
  struct book_sums {
    std::vector<double> products, means;
    double blocks = 0, log_det = 0;

    book_sums() = default;
    explicit book_sums(std::size_t d) : products(d * d), means(d) {}
  };

  /// Notes the blocks that the channel at a place reaches, and keeps their codebooks' sums as they are.
  void touch(std::size_t place) {
    if (changing_.empty()) books_.clear();
    const std::size_t d = format_.block_size;
    for (std::size_t j = place * unit_ / d; j <= ((place + 1) * unit_ - 1) / d; ++j) {
      if (std::find(changing_.begin(), changing_.end(), j) != changing_.end()) continue;
      changing_.push_back(j);
      const std::size_t book = format_.codebook_of(j);
      if (std::find(books_.begin(), books_.end(), book) != books_.end()) continue;
      books_.push_back(book);
      if (saved_.size() < books_.size()) saved_.emplace_back();
      saved_[books_.size() - 1] = sums_[book];
    }
  }

  /// Adds block j, or takes it away. A tail block is padded with zeros.
  void add(std::size_t j, double sign) {
    book_sums& book = sums_[format_.codebook_of(j)];
    const std::size_t d = format_.block_size, width = format_.width_of(j);
    columns_.resize(width);
    for (std::size_t i = 0; i < width; ++i) {
      const std::size_t c = j * d + i;
      columns_[i] = order_[c / unit_] * unit_ + c % unit_;
    }
    for (std::size_t i = 0; i < width; ++i) {
      const double* const row = &moments_.products[columns_[i] * moments_.cols];
      for (std::size_t k = 0; k <= i; ++k) book.products[i * d + k] += sign * row[columns_[k]];
      book.means[i] += sign * moments_.means[columns_[i]];
    }
    book.blocks += sign;
  }

  /// Of the covariance, by Cholesky's method on the lower triangle.
  double log_det(const book_sums& book) {
    const std::size_t d = format_.block_size;
    lower_.resize(d * d);
    double sum = 0;
    for (std::size_t i = 0; i < d; ++i)
      for (std::size_t k = 0; k <= i; ++k) {
        double v = (book.products[i * d + k] - book.means[i] * book.means[k] / book.blocks) / book.blocks;
        if (i == k) v += floor_;
        for (std::size_t m = 0; m < k; ++m) v -= lower_[i * d + m] * lower_[k * d + m];
        if (i == k) {
          v = (std::max)(v, 1e-3 * floor_);
          sum += std::log(v);
        }
        lower_[i * d + k] = i == k ? std::sqrt(v) : v / lower_[k * d + k];
      }
    return sum;
  }

  column_moments moments_;
  code_format format_;
  std::size_t unit_;
  double floor_ = 0;
  channel_order order_;
  std::vector<book_sums> sums_;
  double objective_ = 0;
  // Of the swap that is being looked at.
  std::vector<std::size_t> changing_, books_, columns_;
  std::vector<book_sums> saved_;
  std::vector<double> lower_;
};

}  // namespace detail
}  // namespace v1
}  // namespace bitpq
