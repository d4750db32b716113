// SPDX-License-Identifier: Apache-2.0
#pragma once

// Unlabelled inputs, batch by batch.

#include <bitpq/interop/torch/tensors.hpp>

#include <functional>

namespace bitpq {
inline namespace v1 {
namespace torch {

/// batch(i), i < batches, is the same tensor in every call: what is tuned is then a function of data and options.
struct calibration_data {
  std::size_t batches = 0;
  std::function<at::Tensor(std::size_t)> batch;
};

/// All of `samples`, cut along the first dimension; the last batch may be smaller. Throws bad_params for batches of 0.
[[nodiscard]] inline calibration_data in_batches(const at::Tensor& samples, std::size_t batch_size) {
  require(batch_size > 0, errc::bad_params, "batches of 0 samples");
  const std::size_t n = samples.dim() == 0 ? 0 : detail::extent(samples, 0);
  return {ceil_div(n, batch_size), [samples, batch_size, n](std::size_t i) {
            return samples.slice(0, static_cast<std::int64_t>(i * batch_size),
                                 static_cast<std::int64_t>((std::min)(n, (i + 1) * batch_size)));
          }};
}

namespace detail {

[[nodiscard]] inline bool all_finite(const at::Tensor& t) { return at::isfinite(t).all().item<bool>(); }

/// Batch i. Throws bad_shape, with its number, for an empty one.
[[nodiscard]] inline at::Tensor some_batch(const calibration_data& data, std::size_t i) {
  const at::Tensor batch = data.batch(i);
  require(batch.defined() && batch.numel() > 0, errc::bad_shape, "batch ", i, " is empty");
  return batch;
}

/// The same; throws non_finite too.
[[nodiscard]] inline at::Tensor checked_batch(const calibration_data& data, std::size_t i) {
  const at::Tensor batch = some_batch(data, i);
  require(all_finite(batch), errc::non_finite, "batch ", i, " holds NaN or infinity");
  return batch;
}

}  // namespace detail
}  // namespace torch
}  // namespace v1
}  // namespace bitpq
