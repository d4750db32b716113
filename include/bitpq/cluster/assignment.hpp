// SPDX-License-Identifier: Apache-2.0
#pragma once

// Assignment of points to the nearest of given codewords.

#include <bitpq/cluster/points.hpp>
#include <bitpq/core/executor.hpp>
#include <bitpq/kernel/dispatch.hpp>

#include <algorithm>

namespace bitpq {
inline namespace v1 {
namespace detail {

/// Codewords as the assignment kernel reads them: columns in groups, with half their squared norms. The kernel compares
/// |c|^2 / 2 - v.c, whose rounding grows with the distance from the origin and which overflows far from it. So points
/// and codewords are moved to the codewords' mean, and one factor of every product is scaled, by a power of two, to
/// about 1.
template <scalar T>
class codeword_columns {
 public:
  codeword_columns(std::span<const T> codewords, std::size_t d, const kernel_table<T>& kernels)
      : kernels_(&kernels),
        d_(d),
        padded_(round_up(codewords.size() / d, nearest_group)),
        columns_(d * padded_),
        half_norms_(padded_),
        origin_(d) {
    const std::size_t clusters = codewords.size() / d;
    for (std::size_t i = 0; i < d; ++i) {
      double sum = 0;
      for (std::size_t k = 0; k < clusters; ++k) sum += static_cast<double>(codewords[k * d + i]);
      origin_[i] = static_cast<T>(sum / static_cast<double>(clusters));
    }
    scale_ = scale_of(codewords);
    std::fill(half_norms_.begin(), half_norms_.end(), (std::numeric_limits<T>::infinity)());
    for (std::size_t k = 0; k < clusters; ++k) {
      double norm = 0;
      for (std::size_t i = 0; i < d; ++i) {
        const T moved = codewords[k * d + i] - origin_[i], word = moved * scale_;
        columns_[at(k, i)] = -word;
        norm += static_cast<double>(moved) * static_cast<double>(word);
      }
      half_norms_[k] = static_cast<T>(norm / 2);
      largest_ = (std::max)(largest_, norm);
    }
  }

  /// Elements of scratch that `nearest` needs for that many codewords of d elements.
  static std::size_t scratch(std::size_t clusters, std::size_t d, const kernel_table<T>& kernels) noexcept {
    return round_up(kernels.nearest_scratch(round_up(clusters, nearest_group), d), buffer_alignment / sizeof(T));
  }
  [[nodiscard]] std::size_t scratch() const noexcept { return scratch(padded_, d_, *kernels_); }

  /// codes[p] = nearest codeword of row p < n, the lowest of equals; O(n K d), in the calling thread.
  void nearest(const point_rows<T>& rows, std::size_t n, T* scratch, std::uint16_t* codes) const noexcept {
    kernels_->nearest(rows.data, rows.stride, n, {columns_.data(), half_norms_.data(), origin_.data(), padded_, d_},
                      scratch, codes);
  }

  /// The same for points n x d contiguous, by any executor.
  void nearest(std::span<const T> points, std::span<std::uint16_t> codes, executor_ref exec) const {
    constexpr std::size_t chunk = 1024;
    const std::size_t each = scratch();
    aligned_buffer<T> memory(exec.concurrency() * each);
    exec.bulk(ceil_div(codes.size(), chunk), [&](std::size_t worker, std::size_t task) {
      const std::size_t first = task * chunk, n = (std::min)(chunk, codes.size() - first);
      nearest({points.data() + first * d_, static_cast<std::ptrdiff_t>(d_)}, n, memory.data() + worker * each,
              codes.data() + first);
    });
  }

  /// The largest squared norm of a codeword about their mean.
  [[nodiscard]] double largest_norm() const noexcept { return largest_ / static_cast<double>(scale_); }

  /// `count` of the codewords alone, in memory for as many, up to a whole group.
  nearest_words<T> listed(const std::uint16_t* which, std::size_t count, T* words, T* half_norms) const noexcept {
    const std::size_t padded = round_up(count, nearest_group);
    for (std::size_t j = 0; j < padded; ++j) {
      const std::size_t k = j < count ? which[j] : 0;
      half_norms[j] = j < count ? half_norms_[k] : (std::numeric_limits<T>::infinity)();
      for (std::size_t i = 0; i < d_; ++i) words[at(j, i)] = j < count ? columns_[at(k, i)] : T{0};
    }
    return {words, half_norms, origin_.data(), padded, d_};
  }

 private:
  /// Where element i of codeword k is.
  [[nodiscard]] std::size_t at(std::size_t k, std::size_t i) const noexcept {
    return (k / nearest_group * d_ + i) * nearest_group + k % nearest_group;
  }

  /// A power of two that brings the largest element about the origin to 1 .. 2.
  [[nodiscard]] T scale_of(std::span<const T> codewords) const noexcept {
    T largest = 0;
    for (std::size_t j = 0; j < codewords.size(); ++j)
      largest = (std::max)(largest, std::abs(codewords[j] - origin_[j % d_]));
    if (!(largest > 0) || !std::isfinite(largest)) return 1;
    constexpr int most = std::numeric_limits<T>::max_exponent - 2;
    return std::ldexp(T{1}, std::clamp(-std::ilogb(largest), -most, most));
  }

  const kernel_table<T>* kernels_;
  std::size_t d_;
  std::size_t padded_;
  aligned_buffer<T> columns_;
  aligned_buffer<T> half_norms_;
  aligned_buffer<T> origin_;
  T scale_ = 1;
  double largest_ = 0;  // squared norm, scaled once
};

}  // namespace detail
}  // namespace v1
}  // namespace bitpq
