// SPDX-License-Identifier: Apache-2.0
#pragma once

// Mean and variance of each channel over any number of batches, as batch norm wants them: from differences to a mean,
// never from sums of squares, so that nothing cancels (Chan, Golub and LeVeque 1983).

#include <bitpq/core/executor.hpp>
#include <bitpq/core/matrix_view.hpp>
#include <bitpq/core/nchw_view.hpp>

#include <vector>

namespace bitpq {
inline namespace v1 {

class running_moments {
 public:
  /// Throws bad_shape for 0 channels.
  explicit running_moments(std::size_t channels) : mean_(channels), squares_(channels) {
    require(channels > 0, errc::bad_shape, "moments of 0 channels");
  }

  [[nodiscard]] std::size_t channels() const noexcept { return mean_.size(); }
  /// Values seen of each channel.
  [[nodiscard]] std::size_t count() const noexcept { return count_; }
  [[nodiscard]] double mean(std::size_t channel) const noexcept { return mean_[channel]; }
  /// Divided by count - 1. Throws bad_params for fewer than two values.
  [[nodiscard]] double variance(std::size_t channel) const {
    require(count_ > 1, errc::bad_params, "the variance of ", count_, " values");
    return squares_[channel] / static_cast<double>(count_ - 1);
  }

  /// Adds maps, n x channels x h x w, any strides. Throws bad_shape, or non_finite with the channel: nothing added.
  /// O(n). Batches are added in the order of the calls: same bits for any executor.
  template <scalar T>
  void add(nchw_view<const T> x, executor_ref exec = {}) {
    require(x.channels() == channels(), errc::bad_shape, "a batch of ", x.channels(), " channels for moments of ",
            channels());
    const std::size_t height = x.height(), width = x.width();
    add_batch(x.batch() * height * width, exec, [&](std::size_t c, const auto& f) {
      for (std::size_t n = 0; n < x.batch(); ++n)
        for (std::size_t i = 0; i < height; ++i)
          for (std::size_t j = 0; j < width; ++j) f(static_cast<double>(x(n, c, i, j)));
    });
  }

  /// Adds samples as columns, channels x n.
  template <scalar T>
  void add(matrix_view<const T> x, executor_ref exec = {}) {
    require(x.rows() == channels(), errc::bad_shape, "a batch of ", x.rows(), " channels for moments of ", channels());
    add_batch(x.cols(), exec, [&](std::size_t c, const auto& f) {
      for (std::size_t n = 0; n < x.cols(); ++n) f(static_cast<double>(x(c, n)));
    });
  }

 private:
  /// each(channel, f) calls f with `n` values.
  template <class Each>
  void add_batch(std::size_t n, executor_ref exec, const Each& each) {
    if (n == 0) return;
    const auto added = static_cast<double>(n), before = static_cast<double>(count_);
    std::vector<double> means(channels()), squares(channels());
    exec.bulk(channels(), [&](std::size_t, std::size_t c) {
      each(c, [&](double value) { means[c] += value; });
      means[c] /= added;
      each(c, [&](double value) { squares[c] += (value - means[c]) * (value - means[c]); });
    });
    for (std::size_t c = 0; c < channels(); ++c)
      require(std::isfinite(means[c]) && std::isfinite(squares[c]), errc::non_finite,
              "a batch is not finite in channel ", c);
    for (std::size_t c = 0; c < channels(); ++c) {
      const double apart = means[c] - mean_[c];
      mean_[c] += apart * added / (before + added);
      squares_[c] += squares[c] + apart * apart * before * added / (before + added);
    }
    count_ += n;
  }

  std::vector<double> mean_, squares_;
  std::size_t count_ = 0;
};

}  // namespace v1
}  // namespace bitpq
