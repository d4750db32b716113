// SPDX-License-Identifier: Apache-2.0
#pragma once

// The same products with weights that a host leaves uncompressed (a first convolution, say), through the same loops and
// micro-kernels: a network needs no second engine, and comparing compressed with dense compares like with like.

#include <bitpq/gemm/conv2d.hpp>
#include <bitpq/gemm/gemm.hpp>

namespace bitpq {
inline namespace v1 {

namespace detail {
template <scalar T>
void check_dense(const matrix_view<const T>& w) {
  require(w.rows() == 0 || w.cols() > 0, errc::bad_shape, "dense weights of ", w.rows(), " rows have no columns");
  require(w.stride(1) == 1 || w.cols() <= 1, errc::bad_shape, "dense weights need contiguous rows, column stride is ",
          w.stride(1));
}
}  // namespace detail

/// gemm with dense weights, rows contiguous. Throws and guarantees as gemm does.
template <scalar T>
void dense_gemm(std::type_identity_t<matrix_view<const T>> w, std::type_identity_t<matrix_view<const T>> x,
                matrix_view<T> y, const std::type_identity_t<epilogue<T>>& fused = {}, executor_ref exec = {},
                const kernel_table<T>& kernels = bitpq::kernels<T>()) {
  detail::check_dense(w);
  detail::check_product(w.rows(), w.cols(), x, y, fused);
  if (y.empty()) return;
  detail::multiply_panels<T>(detail::dense_weights<T>(w, kernels), {1, w.rows(), x.cols()},
                             detail::matrix_columns<T>{kernels, x},
                             detail::matrix_output<T>{kernels, fused, nullptr, y}, exec);
}

/// conv2d with dense weights of geometry.rows() x geometry.cols(), rows contiguous. Throws and guarantees as conv2d.
template <scalar T>
void dense_conv2d(std::type_identity_t<matrix_view<const T>> w, const layer_geometry& geometry,
                  std::type_identity_t<nchw_view<const T>> x, nchw_view<T> y,
                  const std::type_identity_t<conv_epilogue<T>>& fused = {}, executor_ref exec = {},
                  const kernel_table<T>& kernels = bitpq::kernels<T>()) {
  detail::check_dense(w);
  const extent2 out = detail::check_convolution(w.rows(), w.cols(), geometry, x, y, fused);
  if (y.empty()) return;
  const detail::convolution_output<T> store{kernels, {fused, nullptr, y, geometry.groups()}};
  if (geometry.in_per_group() == 1) {
    detail::multiply_depthwise<T>(kernels, detail::dense_row<T>{w}, geometry, x, out, store, exec);
    return;
  }
  detail::multiply_panels<T>(detail::dense_weights<T>(w, kernels),
                             {geometry.groups(), geometry.out_per_group(), x.batch() * out.h * out.w},
                             detail::convolution_columns<T>(kernels, x, geometry, out), store, exec);
}

}  // namespace v1
}  // namespace bitpq
