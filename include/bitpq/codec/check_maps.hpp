// SPDX-License-Identifier: Apache-2.0
#pragma once

// Checks that everything shares that runs a convolution or its gradients.

#include <bitpq/codec/layer_geometry.hpp>

namespace bitpq {
inline namespace v1 {
namespace detail {

/// Throws bad_shape unless weights of rows x cols are those of the convolution, bad_params or bad_shape for a geometry
/// that makes no layer.
inline void check_weights(std::size_t rows, std::size_t cols, const layer_geometry& g) {
  static_cast<void>(g.validated());
  require(rows == g.rows() && cols == g.cols(), errc::bad_shape, "weights of ", rows, " x ", cols,
          " for a convolution with ", g.rows(), " x ", g.cols());
}

/// Throws bad_shape unless the maps `v` are n x c x size.h x size.w.
template <class View>
void check_maps(const View& v, const char* what, std::size_t n, std::size_t c, extent2 size) {
  require(v.batch() == n && v.channels() == c && v.height() == size.h && v.width() == size.w, errc::bad_shape, what,
          " of ", v.batch(), " x ", v.channels(), " x ", v.height(), " x ", v.width(), ", expected ", n, " x ", c,
          " x ", size.h, " x ", size.w);
}

}  // namespace detail
}  // namespace v1
}  // namespace bitpq
