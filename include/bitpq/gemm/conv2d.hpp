// SPDX-License-Identifier: Apache-2.0
#pragma once

// Convolutions straight from codes, as an implicit matrix product: panels of the input's im2col matrix are packed as
// they are needed, over the whole batch at once, so that small feature maps fill the panels too.

#include <bitpq/codec/check_maps.hpp>
#include <bitpq/gemm/detail/convolution_columns.hpp>
#include <bitpq/gemm/detail/depthwise.hpp>
#include <bitpq/gemm/detail/int8_product.hpp>
#include <bitpq/gemm/detail/matvec.hpp>
#include <bitpq/gemm/detail/winograd.hpp>
#include <bitpq/gemm/epilogue.hpp>
#include <bitpq/gemm/plan.hpp>

#include <type_traits>

namespace bitpq {
inline namespace v1 {

namespace detail {

/// What becomes of a convolution's sums.
template <scalar T>
struct feature_maps {
  const conv_epilogue<T>& fused;
  const T* scales;  ///< of the channels, or null
  nchw_view<T> y;
  std::size_t groups;

  /// The channel of a row of a group's weights.
  [[nodiscard]] std::size_t channel(std::size_t group, std::size_t row) const noexcept {
    return group * (y.channels() / groups) + row;
  }
  /// Where outputs go from channel c, row h and column x of an image on.
  [[nodiscard]] store_target<T> target(std::size_t image, std::size_t c, std::size_t h, std::size_t x) const noexcept {
    const nchw_view<const T>& residual = fused.residual;
    return {&y(image, c, h, x),
            y.stride(1),
            y.stride(3),
            fused.bias.empty() ? nullptr : &fused.bias[c],
            residual.empty() ? nullptr : &residual(image, c, h, x),
            residual.stride(1),
            residual.stride(3),
            fused.relu,
            scales == nullptr ? nullptr : scales + c};
  }
};

/// Writes sums to feature maps: columns of a panel are runs of pixels, cut where memory is not evenly strided.
template <scalar T>
struct convolution_output {
  const kernel_table<T>& kernels;
  feature_maps<T> maps;

  void operator()(std::size_t group, std::size_t row, std::size_t rows, std::size_t column, std::size_t n,
                  const T* sums, std::size_t ld) const noexcept {
    for_each_run(group, row, column, n,
                 [&](const store_run<T>& run) { kernels.store_rows(sums + run.first, ld, rows, run.length, run.to); });
  }
  std::size_t runs(std::size_t group, std::size_t row, std::size_t column, std::size_t n,
                   store_run<T>* to) const noexcept {
    std::size_t count = 0;
    for_each_run(group, row, column, n, [&](const store_run<T>& run) { to[count++] = run; });
    return count;
  }
  /// The same for one column, whose sums lie together. Of one group.
  void column(std::size_t row, std::size_t rows, std::size_t at, T* sums) const noexcept {
    const std::size_t width = maps.y.width(), plane = maps.y.height() * width, pixel = at % plane;
    store_column(kernels, maps.target(at / plane, row, pixel / width, pixel % width), rows, sums);
  }

 private:
  template <class F>
  void for_each_run(std::size_t group, std::size_t row, std::size_t column, std::size_t n, const F& f) const noexcept {
    const std::size_t width = maps.y.width(), plane = maps.y.height() * width, c = maps.channel(group, row);
    const std::size_t run_limit = rows_are_contiguous() ? plane : width;
    for (std::size_t lane = 0; lane < n;) {
      const std::size_t image = (column + lane) / plane, pixel = (column + lane) % plane;
      const std::size_t length = (std::min)(n - lane, run_limit - pixel % run_limit);
      f({lane, length, maps.target(image, c, pixel / width, pixel % width)});
      lane += length;
    }
  }
  template <class View>
  static bool contiguous(const View& v, std::size_t width) noexcept {
    return v.empty() || v.stride(2) == static_cast<std::ptrdiff_t>(width) * v.stride(3);
  }
  [[nodiscard]] bool rows_are_contiguous() const noexcept {
    return contiguous(maps.y, maps.y.width()) && contiguous(maps.fused.residual, maps.y.width());
  }
};

/// Writes tiles of `tile` x `tile` outputs to feature maps.
template <scalar T>
struct winograd_output_maps {
  const kernel_table<T>& kernels;
  std::size_t tile;
  feature_maps<T> maps;

  void operator()(std::size_t group, std::size_t row, std::size_t rows, std::size_t first, std::size_t n,
                  const T* outputs, std::size_t ld) const noexcept {
    const extent2 tiles = winograd_tiles({maps.y.height(), maps.y.width()}, tile);
    const std::size_t c = maps.channel(group, row);
    for (std::size_t lane = 0; lane < n;) {
      const std::size_t image = (first + lane) / (tiles.h * tiles.w), within = (first + lane) % (tiles.h * tiles.w);
      const std::size_t h = within / tiles.w * tile, x = within % tiles.w * tile;
      const std::size_t count = (std::min)(n - lane, tiles.w - within % tiles.w);
      for (std::size_t i = 0; i < (std::min)(tile, maps.y.height() - h); ++i)
        kernels.store_rows(outputs + i * ld / tile + tile * lane, ld, rows,
                           (std::min)(tile * count, maps.y.width() - x), maps.target(image, c, h + i, x));
      lane += count;
    }
  }
};

/// Column by column: the few columns of the im2col matrix are read at once.
template <scalar T, class Store>
void multiply_few_pixels(const prepacked_matrix<T>& w, gemm_path path, const convolution_columns<T>& reader,
                         std::size_t columns, const Store& store, executor_ref exec) {
  const auto cut = [&](scratch_cutter memory) {
    T* const matrix = memory.take<T>(w.cols() * columns + w.kernels().lanes);
    const auto reading = reader.cut(memory, columns);  // before used() is asked
    return std::pair(std::pair(matrix, reading), memory.used());
  };
  scratch memory(cut(scratch_cutter()).second);
  auto [matrix, reading] = cut(scratch_cutter(memory.data())).first;
  reader.pack(reading, 0, 0, w.cols(), 0, columns, matrix, columns);
  multiply_columns(w, path, matrix_view<const T>(matrix, w.cols(), columns), store, exec);
}

/// Checks every size and returns the output's.
template <scalar T>
extent2 check_convolution(std::size_t rows, std::size_t cols, const layer_geometry& g, const nchw_view<const T>& x,
                          const nchw_view<T>& y, const conv_epilogue<T>& fused) {
  check_weights(rows, cols, g);
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
/// matrix are ever formed: scratch per worker is about 1 MB, of Winograd's paths up to 4, which also share up to 5 MB
/// of transformed codebooks. A value that is not finite reaches all outputs of the tiles (4 x 4 at the most) that see
/// it. Throws unsupported when a path is forced that does not serve (see why_not).
template <scalar T>
void conv2d(const prepacked_matrix<T>& w, const layer_geometry& geometry, std::type_identity_t<nchw_view<const T>> x,
            std::type_identity_t<nchw_view<T>> y, const std::type_identity_t<conv_epilogue<T>>& fused = {},
            executor_ref exec = {}, gemm_path path = gemm_path::automatic) {
  const extent2 out = detail::check_convolution(w.rows(), w.cols(), geometry, x, y, fused);
  if (y.empty()) return;
  const gemm_plan plan = plan_conv2d(w, geometry, x.batch(), {x.height(), x.width()}, path);
  const kernel_table<T>& kernels = w.kernels();
  const std::size_t columns = x.batch() * out.h * out.w;
  const detail::feature_maps<T> maps{fused, w.scales(), y, geometry.groups()};
  const detail::convolution_output<T> store{kernels, maps};
  const detail::convolution_columns<T> reader(kernels, x, geometry, out);
  if (plan.path == gemm_path::depthwise)
    detail::multiply_depthwise<T>(kernels, detail::decoded_row<T>{w}, geometry, x, out, store, exec);
  else if (const std::size_t tile = winograd_tile(plan.path); tile > 0)
    detail::winograd_product<T>(w, tile, geometry, x, out)
        .run(x.batch(), detail::winograd_output_maps<T>{kernels, tile, maps}, exec);
  else if (is_gemv(plan.path))
    detail::multiply_few_pixels(w, plan.path, reader, columns, store, exec);
  else if (plan.path == gemm_path::int8)
    detail::convolve_int8(w, geometry, x, out, store, exec);
  else
    detail::multiply_panels(w, plan.path, {geometry.groups(), geometry.out_per_group(), columns}, reader, store, exec);
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
