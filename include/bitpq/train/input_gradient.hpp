// SPDX-License-Identifier: Apache-2.0
#pragma once

// The gradient by what a layer reads: dX = W^T dY, for a convolution followed by adding up what its windows share. A
// task decodes some columns of the weights, transposed, and runs them through the micro-kernel of every other product.

#include <bitpq/core/executor.hpp>
#include <bitpq/core/scratch.hpp>
#include <bitpq/kernel/dispatch.hpp>
#include <bitpq/kernel/im2col.hpp>
#include <bitpq/train/detail/checks.hpp>
#include <bitpq/train/detail/layer_columns.hpp>

#include <array>
#include <numeric>
#include <type_traits>

namespace bitpq {
inline namespace v1 {

namespace detail {

/// Columns [k0, k1) of the rows [row, row + rows), transposed: out[(k - k0) * rows + r].
template <scalar T>
void decode_transposed(const pq_matrix<T>& w, std::size_t row, std::size_t rows, std::size_t k0, std::size_t k1,
                       T* out) noexcept {
  const code_format& f = w.format();
  const std::size_t d = f.block_size;
  std::fill_n(out, (k1 - k0) * rows, T{0});
  for (std::size_t stage = 0; stage < f.stages; ++stage)
    for (std::size_t j = k0 / d; j * d < k1; ++j) {
      const T* const book = w.book().values().data() + f.book_of(stage, j) * f.codewords * d;
      const std::size_t begin = (std::max)(k0, j * d), end = (std::min)(k1, (j + 1) * d);
      for (std::size_t r = 0; r < rows; ++r) {
        const T* const word = book + std::size_t{w.code(row + r, j, stage)} * d;
        for (std::size_t k = begin; k < end; ++k) out[(k - k0) * rows + r] += word[k - j * d];
      }
    }
  if (w.scales().empty()) return;
  for (std::size_t k = 0; k < k1 - k0; ++k)
    for (std::size_t r = 0; r < rows; ++r) out[k * rows + r] *= w.scales()[row + r];
}

/// Gradients of a linear layer: dy out x n, dx in x n. A unit, what tasks are runs of, is an input feature.
template <scalar T>
struct sample_gradients {
  matrix_view<const T> dy;
  matrix_view<T> dx;

  static constexpr std::size_t groups = 1, columns_of_unit = 1;
  [[nodiscard]] std::size_t units() const noexcept { return dx.rows(); }
  [[nodiscard]] std::size_t columns() const noexcept { return dy.cols(); }
  void pack(std::size_t row, std::size_t rows, std::size_t first, std::size_t n,
            const packed_rows<T>& to) const noexcept {
    pack_matrix(dy, row, rows, first, n, to);
  }
  void clear(std::size_t /*group*/, std::size_t /*begin*/, std::size_t /*end*/) const noexcept {}
  void add(std::size_t /*group*/, std::size_t begin, std::size_t end, std::size_t first, std::size_t n, const T* sums,
           std::size_t ld) const noexcept {
    for (std::size_t k = begin; k < end; ++k)
      for (std::size_t c = 0; c < n; ++c) dx(k, first + c) = sums[(k - begin) * ld + c];
  }
};

/// Of a convolution: dy n x out x h' x w', dx n x in x h x w. A unit is a channel of a group.
template <scalar T>
struct map_gradients {
  layer_geometry g;
  nchw_view<const T> dy;
  nchw_view<T> dx;
  std::size_t groups = g.groups(), columns_of_unit = g.window();

  [[nodiscard]] std::size_t units() const noexcept { return g.in_per_group(); }
  [[nodiscard]] std::size_t columns() const noexcept { return dy.batch() * dy.height() * dy.width(); }
  void pack(std::size_t row, std::size_t rows, std::size_t first, std::size_t n,
            const packed_rows<T>& to) const noexcept {
    pack_channels(dy, row, rows, first, n, to);
  }
  void clear(std::size_t group, std::size_t begin, std::size_t end) const noexcept {
    for (std::size_t image = 0; image < dx.batch(); ++image)
      for (std::size_t c = group * units() + begin; c < group * units() + end; ++c)
        for (std::size_t y = 0; y < dx.height(); ++y)
          for (std::size_t x = 0; x < dx.width(); ++x) dx(image, c, y, x) = T{0};
  }
  void add(std::size_t group, std::size_t begin, std::size_t end, std::size_t first, std::size_t n, const T* sums,
           std::size_t ld) const noexcept {
    std::size_t columns[im2col_columns::capacity];
    std::iota(columns, columns + n, first);
    im2col_columns(dx, g, extent2{dy.height(), dy.width()}, std::span<const std::size_t>(columns, n))
        .add(dx, g, group, begin * columns_of_unit, end * columns_of_unit, sums, ld);
  }
};

/// Rows of a panel of output gradients that are multiplied at a time, which stay in the second-level cache.
inline constexpr std::size_t input_gradient_depth = 384;

/// Some units of one group, all columns, a panel at a time.
template <scalar T, class Gradients>
void add_input_gradients(const pq_matrix<T>& w, const Gradients& to, std::size_t group, std::size_t begin,
                         std::size_t end, T* weights, T* outputs, T* sums) noexcept {
  constexpr std::size_t depth_each = input_gradient_depth;
  const kernel_table<T>& kernels = bitpq::kernels<T>();
  const std::size_t panel = kernels.panel, rows = w.rows() / to.groups, k0 = begin * to.columns_of_unit;
  const std::size_t count = (end - begin) * to.columns_of_unit;
  decode_transposed(w, group * rows, rows, k0, k0 + count, weights);
  to.clear(group, begin, end);
  for (std::size_t first = 0; first < to.columns(); first += panel) {
    const std::size_t n = (std::min)(panel, to.columns() - first);
    for (std::size_t r = 0; r < rows; r += depth_each) {
      const std::size_t depth = (std::min)(depth_each, rows - r);
      to.pack(group * rows + r, depth, first, n, {outputs, panel});
      kernels.gemm_panel(weights + r, static_cast<std::ptrdiff_t>(rows), outputs, panel, sums,
                         static_cast<std::ptrdiff_t>(panel), count, n, depth, r > 0);
    }
    to.add(group, begin, end, first, n, sums, panel);
  }
}

template <scalar T, class Gradients>
void compute_input_gradient(const pq_matrix<T>& w, const Gradients& to, executor_ref exec) {
  constexpr std::size_t decoded = std::size_t{1} << 17;  // weights of a task
  const std::size_t rows = (std::max)(std::size_t{1}, w.rows() / to.groups), panel = bitpq::kernels<T>().panel;
  const std::size_t most = std::clamp(decoded / rows, std::size_t{16}, std::size_t{128}) / to.columns_of_unit;
  const std::size_t shared = ceil_div(to.units() * to.groups, 4 * exec.concurrency());
  const std::size_t units_each = (std::max)(std::size_t{1}, (std::min)({most, shared, to.units()}));
  const std::size_t tasks = ceil_div(to.units(), units_each), columns_each = units_each * to.columns_of_unit;
  const auto cut = [&](scratch_cutter memory) {
    T* const weights = memory.take<T>(columns_each * rows);
    T* const outputs = memory.take<T>((std::min)(rows, input_gradient_depth) * panel);
    T* const sums = memory.take<T>(columns_each * panel);
    return std::pair(std::array<T*, 3>{weights, outputs, sums}, memory.used());
  };
  const std::size_t bytes_each = cut(scratch_cutter()).second;
  scratch memory(checked_product(bytes_each, exec.concurrency(), "scratch"));
  exec.bulk(to.groups * tasks, [&](std::size_t worker, std::size_t task) {
    const auto [weights, outputs, sums] = cut(scratch_cutter(memory.data() + worker * bytes_each)).first;
    const std::size_t begin = task % tasks * units_each, end = (std::min)(begin + units_each, to.units());
    add_input_gradients(w, to, task / tasks, begin, end, weights, outputs, sums);
  });
}

}  // namespace detail

/// dx = W^T dy of a linear layer, from codes: dy is out x n, dx in x n, any strides, not overlapping. Throws bad_shape,
/// nothing written, when the shapes do not fit. Same bits for any executor. O(rows cols n), as the layer itself;
/// memory: about 1 MB per worker for a run of decoded columns.
template <scalar T>
void input_gradient(const pq_matrix<T>& w, std::type_identity_t<matrix_view<const T>> dy,
                    std::type_identity_t<matrix_view<T>> dx, executor_ref exec = {}) {
  require(dy.rows() == w.rows() && dx.rows() == w.cols() && dx.cols() == dy.cols(), errc::bad_shape,
          "output gradients of ", dy.rows(), " x ", dy.cols(), " and input gradients of ", dx.rows(), " x ", dx.cols(),
          " for weights of ", w.rows(), " x ", w.cols());
  if (dx.empty()) return;
  detail::compute_input_gradient(w, detail::sample_gradients<T>{dy, dx}, exec);
}

/// The same for a convolution whose output's gradient is dy (n x out x h' x w'), dx being n x in x h x w. Throws
/// bad_shape or bad_params, nothing written, when geometry, weights and maps do not fit together.
template <scalar T>
void input_gradient(const pq_matrix<T>& w, const layer_geometry& geometry, std::type_identity_t<nchw_view<const T>> dy,
                    std::type_identity_t<nchw_view<T>> dx, executor_ref exec = {}) {
  detail::check_convolution_gradient<T>(w, geometry, dx, dy);
  if (dx.empty()) return;
  detail::compute_input_gradient(w, detail::map_gradients<T>{geometry, dy, dx}, exec);
}

}  // namespace v1
}  // namespace bitpq
