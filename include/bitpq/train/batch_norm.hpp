// SPDX-License-Identifier: Apache-2.0
#pragma once

// Batch norm after a compressed layer. Compression moves the statistics of what the layer writes, and a network that
// keeps those of its teacher may come to chance accuracy: estimate them again on unlabelled data. A layer that has them
// takes them up without touching a code, for they scale and shift whole rows.

#include <bitpq/train/running_moments.hpp>
#include <bitpq/train/with_codewords.hpp>

#include <vector>

namespace bitpq {
inline namespace v1 {

/// y = scale (x - mean) / sqrt(variance + epsilon) + shift, channel by channel.
template <scalar T>
struct batch_norm {
  std::vector<T> scale, shift, mean, variance;
  double epsilon = 1e-5;

  [[nodiscard]] std::size_t channels() const noexcept { return scale.size(); }
  /// What a channel is multiplied by.
  [[nodiscard]] double factor(std::size_t c) const noexcept {
    return static_cast<double>(scale[c]) / std::sqrt(static_cast<double>(variance[c]) + epsilon);
  }

  /// Throws bad_shape, non_finite, or bad_params for a variance below 0 or an epsilon that is not positive.
  void validate() const {
    require(shift.size() == channels() && mean.size() == channels() && variance.size() == channels(), errc::bad_shape,
            "batch norm of ", channels(), " scales, ", shift.size(), " shifts, ", mean.size(), " means and ",
            variance.size(), " variances");
    for (const std::vector<T>* values : {&scale, &shift, &mean, &variance})
      require_finite(std::span<const T>(*values), "batch norm");
    require(epsilon > 0 && std::isfinite(epsilon), errc::bad_params, "epsilon ", epsilon, " is not positive");
    for (std::size_t c = 0; c < channels(); ++c)
      require(variance[c] >= 0, errc::bad_params, "variance ", variance[c], " of channel ", c);
  }
};

/// Takes over mean and variance of what was seen. Throws bad_shape for another number of channels, bad_params for fewer
/// than two values, nothing changed.
template <scalar T>
void set_statistics(batch_norm<T>& norm, const running_moments& seen) {
  require(seen.channels() == norm.channels(), errc::bad_shape, "moments of ", seen.channels(),
          " channels for a batch norm of ", norm.channels());
  static_cast<void>(seen.variance(0));  // throws now or never
  norm.mean.resize(norm.channels());
  norm.variance.resize(norm.channels());
  for (std::size_t c = 0; c < norm.channels(); ++c) {
    norm.mean[c] = static_cast<T>(seen.mean(c));
    norm.variance[c] = static_cast<T>(seen.variance(c));
  }
}

/// y = W x + bias.
template <scalar T>
struct biased_layer {
  pq_matrix<T> weights;
  std::vector<T> bias{};  ///< one per row; empty: none
};

namespace detail {

template <scalar T>
void check_norm(const biased_layer<T>& layer, const batch_norm<T>& norm) {
  norm.validate();
  require(norm.channels() == layer.weights.rows(), errc::bad_shape, "batch norm of ", norm.channels(),
          " channels after a layer of ", layer.weights.rows(), " rows");
  require(layer.bias.empty() || layer.bias.size() == layer.weights.rows(), errc::bad_shape, "bias of ",
          layer.bias.size(), " elements for ", layer.weights.rows(), " rows");
  require_finite(std::span<const T>(layer.bias), "bias");
}

/// The layer with each row's scale times factor(row), rounded to `storage`, and the bias(row, factor as rounded).
template <scalar T, class Factor, class Bias>
biased_layer<T> rescaled(const biased_layer<T>& layer, codeword_type storage, const Factor& factor, const Bias& bias) {
  const std::size_t rows = layer.weights.rows();
  std::vector<T> scales(rows);
  for (std::size_t r = 0; r < rows; ++r)
    scales[r] = static_cast<T>(static_cast<double>(layer.weights.scales()[r]) * factor(r));
  biased_layer<T> result{with_row_scales(layer.weights, row_scales<T>(scales, storage)), std::vector<T>(rows)};
  for (std::size_t r = 0; r < rows; ++r) {
    const auto before = static_cast<double>(layer.weights.scales()[r]);
    const double kept = before == 0 ? factor(r) : static_cast<double>(result.weights.scales()[r]) / before;
    result.bias[r] = static_cast<T>(bias(r, layer.bias.empty() ? 0.0 : static_cast<double>(layer.bias[r]), kept));
  }
  return result;
}

}  // namespace detail

/// One layer that does what the layer and the batch norm after it do: factors go to the row scales, the rest to the
/// bias. Codes and codewords stay. Row scales are rounded to `storage`, f32 or f16, and the bias is that of the rounded
/// ones, so that inputs of mean output keep exactly their place. Throws bad_shape, bad_params or non_finite, the last
/// also for scales beyond the range of `storage`. O(rows + copying the codes).
template <scalar T>
[[nodiscard]] biased_layer<T> fold_batch_norm(const biased_layer<T>& layer, const batch_norm<T>& norm,
                                              codeword_type storage = codeword_type::f32) {
  detail::check_norm(layer, norm);
  return detail::rescaled(
      layer, storage, [&](std::size_t r) { return norm.factor(r); },
      [&](std::size_t r, double bias, double factor) {
        return (bias - static_cast<double>(norm.mean[r])) * factor + static_cast<double>(norm.shift[r]);
      });
}

/// The layer that was folded with that batch norm, up to rounding: after it the norm does what the folded layer does
/// alone. Throws as fold_batch_norm does, and bad_params for a channel whose norm has a scale of 0, which left nothing
/// of the layer.
template <scalar T>
[[nodiscard]] biased_layer<T> unfold_batch_norm(const biased_layer<T>& folded, const batch_norm<T>& norm,
                                                codeword_type storage = codeword_type::f32) {
  detail::check_norm(folded, norm);
  for (std::size_t r = 0; r < norm.channels(); ++r)
    require(norm.scale[r] != 0, errc::bad_params, "batch norm has scale 0 in channel ", r,
            ", which cannot be unfolded");
  return detail::rescaled(
      folded, storage, [&](std::size_t r) { return 1 / norm.factor(r); },
      [&](std::size_t r, double bias, double factor) {
        return (bias - static_cast<double>(norm.shift[r])) * factor + static_cast<double>(norm.mean[r]);
      });
}

}  // namespace v1
}  // namespace bitpq
