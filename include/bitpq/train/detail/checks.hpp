// SPDX-License-Identifier: Apache-2.0
#pragma once

// Checks that several gradients share.

#include <bitpq/codec/layer_geometry.hpp>
#include <bitpq/codec/pq_matrix.hpp>
#include <bitpq/core/nchw_view.hpp>

namespace bitpq {
inline namespace v1 {
namespace detail {

/// Throws unless x and dy are input and output of that convolution with those weights.
template <scalar T>
void check_maps(const pq_matrix<T>& w, const layer_geometry& geometry, const nchw_view<const T>& x,
                const nchw_view<const T>& dy) {
  const layer_geometry& g = geometry.validated();
  require(w.rows() == g.rows() && w.cols() == g.cols(), errc::bad_shape, "weights of ", w.rows(), " x ", w.cols(),
          " for a convolution with ", g.rows(), " x ", g.cols());
  require(x.channels() == g.in_channels, errc::bad_shape, "inputs of ", x.channels(), " channels for a convolution of ",
          g.in_channels);
  const extent2 out = g.output_size({x.height(), x.width()});
  require(dy.batch() == x.batch() && dy.channels() == g.out_channels && dy.height() == out.h && dy.width() == out.w,
          errc::bad_shape, "output gradients of ", dy.batch(), " x ", dy.channels(), " x ", dy.height(), " x ",
          dy.width(), ", expected ", x.batch(), " x ", g.out_channels, " x ", out.h, " x ", out.w);
}

}  // namespace detail
}  // namespace v1
}  // namespace bitpq
