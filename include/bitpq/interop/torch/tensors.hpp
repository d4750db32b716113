// SPDX-License-Identifier: Apache-2.0
#pragma once

// LibTorch's tensors as the library's views, where they lie. In this folder LibTorch's namespace is written ::torch,
// for within bitpq plain torch is bitpq::torch.

#include <bitpq/core/matrix_view.hpp>
#include <bitpq/core/nchw_view.hpp>

#include <ATen/ATen.h>

namespace bitpq {
inline namespace v1 {
namespace torch {
namespace detail {

[[nodiscard]] inline std::size_t extent(const at::Tensor& t, std::int64_t dim) {
  return static_cast<std::size_t>(t.size(dim));
}

/// Throws unsupported unless `t` holds floats in the processor's memory.
inline void require_floats(const at::Tensor& t, const char* what) {
  require(t.defined(), errc::bad_params, what, ": an undefined tensor");
  require(t.scalar_type() == at::kFloat && t.device().is_cpu() && t.layout() == at::kStrided, errc::unsupported, what,
          ": a tensor of ", c10::toString(t.scalar_type()), " on ", t.device().str(),
          "; bitpq computes with float on the CPU");
}

/// Samples as rows, n x features, seen as columns.
[[nodiscard]] inline matrix_view<const float> columns_of(const at::Tensor& t) {
  return {t.data_ptr<float>(), extent(t, 1), extent(t, 0), t.stride(1), t.stride(0)};
}
[[nodiscard]] inline matrix_view<float> writable_columns(at::Tensor& t) {
  return {t.data_ptr<float>(), extent(t, 1), extent(t, 0), t.stride(1), t.stride(0)};
}

[[nodiscard]] inline nchw_view<const float> maps_of(const at::Tensor& t) {
  return {t.data_ptr<float>(),
          {extent(t, 0), extent(t, 1), extent(t, 2), extent(t, 3)},
          {t.stride(0), t.stride(1), t.stride(2), t.stride(3)}};
}
[[nodiscard]] inline nchw_view<float> writable_maps(at::Tensor& t) {
  return {t.data_ptr<float>(),
          {extent(t, 0), extent(t, 1), extent(t, 2), extent(t, 3)},
          {t.stride(0), t.stride(1), t.stride(2), t.stride(3)}};
}

/// All elements of a contiguous tensor.
[[nodiscard]] inline std::span<const float> values_of(const at::Tensor& t) {
  return {t.data_ptr<float>(), static_cast<std::size_t>(t.numel())};
}
[[nodiscard]] inline std::span<float> writable_values(at::Tensor& t) {
  return {t.data_ptr<float>(), static_cast<std::size_t>(t.numel())};
}

/// Weights out x ... as the matrix of a layer; `t` is contiguous.
[[nodiscard]] inline matrix_view<const float> weight_matrix(const at::Tensor& t) {
  const std::size_t rows = extent(t, 0);
  return {t.data_ptr<float>(), rows, rows == 0 ? 0 : static_cast<std::size_t>(t.numel()) / rows};
}

}  // namespace detail
}  // namespace torch
}  // namespace v1
}  // namespace bitpq
