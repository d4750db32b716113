// SPDX-License-Identifier: Apache-2.0
#pragma once

// Convolutions straight from codes, as an implicit matrix product: panels of the input's im2col matrix are packed as
// they are needed, over the whole batch at once, so that small feature maps fill the panels too.

#include <bitpq/gemm/detail/panels.hpp>
#include <bitpq/gemm/epilogue.hpp>
#include <bitpq/kernel/im2col.hpp>

#include <type_traits>

namespace bitpq {
inline namespace v1 {

namespace detail {

/// Packs columns of the im2col matrix.
template <scalar T>
struct convolution_columns {
  nchw_view<const T> x;
  const layer_geometry& geometry;
  extent2 out;

  void operator()(std::size_t group, std::size_t k0, std::size_t k1, std::size_t column, std::size_t n, T* dst,
                  std::size_t ld) const noexcept {
    im2col_columns(x, geometry, out, column, n).pack(x, geometry, group, k0, k1, dst, ld);
  }
};

/// Writes sums to feature maps: columns of a panel are runs of pixels, cut where memory is not evenly strided.
template <scalar T>
struct convolution_output {
  const kernel_table<T>& kernels;
  const conv_epilogue<T>& fused;
  nchw_view<T> y;

  void operator()(std::size_t group, std::size_t row, std::size_t rows, std::size_t column, std::size_t n,
                  const T* sums) const noexcept {
    const std::size_t width = y.width(), plane = y.height() * width;
    const std::size_t first_channel = group * (y.channels() / groups) + row;
    const std::size_t run_limit = rows_are_contiguous() ? plane : width;
    for (std::size_t lane = 0; lane < n;) {
      const std::size_t image = (column + lane) / plane, pixel = (column + lane) % plane;
      const std::size_t length = (std::min)(n - lane, run_limit - pixel % run_limit);
      for (std::size_t r = 0; r < rows; ++r) {
        const std::size_t c = first_channel + r, h = pixel / width, x = pixel % width;
        kernels.store_row(sums + r * kernels.panel + lane, fused.bias.empty() ? T{0} : fused.bias[c],
                          fused.residual.empty() ? nullptr : &fused.residual(image, c, h, x), fused.residual.stride(3),
                          &y(image, c, h, x), y.stride(3), length, fused.relu);
      }
      lane += length;
    }
  }

  std::size_t groups;

 private:
  template <class View>
  static bool contiguous(const View& v, std::size_t width) noexcept {
    return v.empty() || v.stride(2) == static_cast<std::ptrdiff_t>(width) * v.stride(3);
  }
  [[nodiscard]] bool rows_are_contiguous() const noexcept {
    return contiguous(y, y.width()) && contiguous(fused.residual, y.width());
  }
};

template <class View>
void check_maps(const View& v, const char* what, std::size_t n, std::size_t c, extent2 size) {
  require(v.batch() == n && v.channels() == c && v.height() == size.h && v.width() == size.w, errc::bad_shape, what,
          " of ", v.batch(), " x ", v.channels(), " x ", v.height(), " x ", v.width(), ", expected ", n, " x ", c,
          " x ", size.h, " x ", size.w);
}

/// Checks every size and returns the output's.
template <scalar T>
extent2 check_convolution(std::size_t rows, std::size_t cols, const layer_geometry& g, const nchw_view<const T>& x,
                          const nchw_view<T>& y, const conv_epilogue<T>& fused) {
  static_cast<void>(g.validated());
  require(rows == g.rows() && cols == g.cols(), errc::bad_shape, "weights of ", rows, " x ", cols,
          " for a convolution with ", g.rows(), " x ", g.cols());
  const extent2 in{x.height(), x.width()};
  check_maps(x, "input", x.batch(), g.in_channels, in);
  const extent2 out = g.output_size(in);
  check_maps(y, "output", x.batch(), g.out_channels, out);
  check_bias(fused, g.out_channels);
  if (!fused.residual.empty()) check_maps(fused.residual, "residual", x.batch(), g.out_channels, out);
  return out;
}

}  // namespace detail

/// y = act(W * x + bias + residual): the convolution that PyTorch's conv2d computes, of x (n x in x h x w) into y
/// (n x out x h' x w') with the stride, zero padding, dilation and groups of `geometry`; views of any strides (NCHW or
/// NHWC). y must not overlap x; the residual may be y. Throws bad_shape or bad_params, with the sizes, before anything
/// is written. Same bits for any executor and for any split of the batch. Neither the dense weights nor the im2col
/// matrix are ever formed: scratch per worker is about 1 MB, and a table of codewords x panel elements where lut is
/// forced. Paths: decode and lut.
template <scalar T>
void conv2d(const prepacked_matrix<T>& w, const layer_geometry& geometry, std::type_identity_t<nchw_view<const T>> x,
            std::type_identity_t<nchw_view<T>> y, const std::type_identity_t<conv_epilogue<T>>& fused = {},
            executor_ref exec = {}, gemm_path path = gemm_path::automatic) {
  require(!is_gemv(path), errc::bad_params, "conv2d has no path ", to_string(path));
  const extent2 out = detail::check_convolution(w.rows(), w.cols(), geometry, x, y, fused);
  if (y.empty()) return;
  const std::size_t columns = x.batch() * out.h * out.w, rows = geometry.out_per_group();
  const kernel_table<T>& kernels = w.kernels();
  gemm_plan plan = make_plan(w.format(), {rows, columns, kernels.lanes, kernels.panel}, path);
  if (plan.path == gemm_path::gemv) plan.path = gemm_path::decode;
  detail::multiply_panels(w, plan.path, {geometry.groups(), rows, columns},
                          detail::convolution_columns<T>{x, geometry, out},
                          detail::convolution_output<T>{kernels, fused, y, geometry.groups()}, exec);
}

/// The same for weights that are used once; prepacks them on the way.
template <scalar T>
void conv2d(const pq_matrix<T>& w, const layer_geometry& geometry, std::type_identity_t<nchw_view<const T>> x,
            std::type_identity_t<nchw_view<T>> y, const std::type_identity_t<conv_epilogue<T>>& fused = {},
            executor_ref exec = {}, gemm_path path = gemm_path::automatic) {
  static_cast<void>(detail::check_convolution(w.rows(), w.cols(), geometry, x, y, fused));
  conv2d(prepack(w), geometry, x, y, fused, exec, path);
}

}  // namespace v1
}  // namespace bitpq
