// SPDX-License-Identifier: Apache-2.0
#pragma once

// One version of a compressed layer's weights, as a file would hold them, in the forms that LibTorch's steps ask for.

#include <bitpq/codec/layer_geometry.hpp>
#include <bitpq/gemm/prepack.hpp>
#include <bitpq/interop/torch/tensors.hpp>

#include <ATen/core/ivalue.h>

#include <mutex>

namespace bitpq {
inline namespace v1 {
namespace torch {

/// Immutable; may be read by several threads. A step of training keeps the version that it began with.
class coded_weights : public ::torch::CustomClassHolder {
 public:
  /// Throws bad_shape unless the weights are those of the geometry.
  coded_weights(const layer_geometry& geometry, pq_matrix<float> codes)
      : geometry_(geometry.validated()), codes_(std::move(codes)) {
    require(codes_.rows() == geometry_.rows() && codes_.cols() == geometry_.cols(), errc::bad_shape, "codes of ",
            codes_.rows(), " x ", codes_.cols(), " weights for a layer of ", geometry_.rows(), " x ", geometry_.cols());
  }

  [[nodiscard]] const layer_geometry& geometry() const noexcept { return geometry_; }
  [[nodiscard]] const pq_matrix<float>& codes() const noexcept { return codes_; }

  /// Made when first asked for: O(codes).
  [[nodiscard]] const prepacked_matrix<float>& prepacked() const {
    std::call_once(prepacked_once_, [this] { prepacked_ = prepack(codes_); });
    return prepacked_;
  }

  /// The weights as LibTorch has them, out x in or out x in/groups x kh x kw; O(rows cols stages).
  [[nodiscard]] at::Tensor decoded() const {
    const layer_geometry& g = geometry_;
    const auto size = [](std::size_t n) { return static_cast<std::int64_t>(n); };
    at::Tensor weight = g.type == layer_geometry::kind::linear
                            ? at::empty({size(g.rows()), size(g.cols())})
                            : at::empty({size(g.rows()), size(g.in_per_group()), size(g.kernel.h), size(g.kernel.w)});
    codes_.decode({weight.data_ptr<float>(), g.rows(), g.cols()});
    return weight;
  }

 private:
  layer_geometry geometry_;
  pq_matrix<float> codes_;
  mutable std::once_flag prepacked_once_;
  mutable prepacked_matrix<float> prepacked_;
};

using coded_weights_ptr = c10::intrusive_ptr<coded_weights>;

}  // namespace torch
}  // namespace v1
}  // namespace bitpq
