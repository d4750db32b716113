// SPDX-License-Identifier: Apache-2.0
#pragma once

// Checks that several gradients share.

#include <bitpq/codec/check_maps.hpp>
#include <bitpq/codec/pq_matrix.hpp>
#include <bitpq/core/nchw_view.hpp>

namespace bitpq {
inline namespace v1 {
namespace detail {

/// Throws unless x and dy are input and output of that convolution with those weights.
template <scalar T>
void check_convolution_gradient(const pq_matrix<T>& w, const layer_geometry& g, const nchw_view<const T>& x,
                                const nchw_view<const T>& dy) {
  check_weights(w.rows(), w.cols(), g);
  require(x.channels() == g.in_channels, errc::bad_shape, "inputs of ", x.channels(), " channels for a convolution of ",
          g.in_channels);
  check_maps(dy, "output gradients", x.batch(), g.out_channels, g.output_size({x.height(), x.width()}));
}

}  // namespace detail
}  // namespace v1
}  // namespace bitpq
