// SPDX-License-Identifier: Apache-2.0
#pragma once

// Products of compressed matrices with matrices of activations: linear layers, 1 x 1 convolutions, batches of tokens.

#include <bitpq/gemm/detail/int8_product.hpp>
#include <bitpq/gemm/detail/matvec.hpp>
#include <bitpq/gemm/detail/panels.hpp>
#include <bitpq/gemm/epilogue.hpp>
#include <bitpq/gemm/plan.hpp>

#include <type_traits>

namespace bitpq {
inline namespace v1 {

namespace detail {

/// Reads columns of a matrix with any strides.
template <scalar T>
struct matrix_columns {
  const kernel_table<T>& kernels;
  matrix_view<const T> x;

  struct workspace {};
  [[nodiscard]] static workspace cut(scratch_cutter& /*memory*/, std::size_t /*panel*/) noexcept { return {}; }

  void pack(workspace& /*memory*/, std::size_t /*group*/, std::size_t k0, std::size_t k1, std::size_t column,
            std::size_t n, T* dst, std::size_t ld) const noexcept {
    if (x.stride(1) == 1) {
      kernels.pack_rows(&x(k0, column), x.stride(0), dst, ld, k1 - k0, n);
      return;
    }
    const std::size_t step = x.stride(0) == 1 ? 16 : 1;  // tokens as rows: a line of each at a time
    for (std::size_t k = k0; k < k1; k += step)
      for (std::size_t lane = 0; lane < n; ++lane)
        for (std::size_t i = k; i < (std::min)(k + step, k1); ++i) dst[(i - k0) * ld + lane] = x(i, column + lane);
  }
  [[nodiscard]] panel_rows<T> in_place(std::size_t /*group*/, std::size_t k0, std::size_t column,
                                       std::size_t n) const noexcept {
    if (x.stride(1) != 1 || !rows_serve(kernels, x.stride(0), n)) return {};
    return {&x(k0, column), static_cast<std::size_t>(x.stride(0))};
  }
  [[nodiscard]] panel_traffic<T> next(std::size_t /*group*/, std::size_t k0, std::size_t column,
                                      std::size_t n) const noexcept {
    if (x.stride(1) != 1) return {};
    return {nullptr, 0, &x(k0, column), x.stride(0), n};
  }
};

/// Writes sums to a matrix with any strides.
template <scalar T>
struct matrix_output {
  const kernel_table<T>& kernels;
  const epilogue<T>& fused;
  const T* scales;  ///< of the rows, or null
  matrix_view<T> y;

  void operator()(std::size_t /*group*/, std::size_t row, std::size_t rows, std::size_t column, std::size_t n,
                  const T* sums, std::size_t ld) const noexcept {
    kernels.store_rows(sums, ld, rows, n, target(row, column));
  }
  std::size_t runs(std::size_t /*group*/, std::size_t row, std::size_t column, std::size_t n,
                   store_run<T>* to) const noexcept {
    *to = {0, n, target(row, column)};
    return 1;
  }
  /// The same for one column, whose sums lie together.
  void column(std::size_t row, std::size_t rows, std::size_t at, T* sums) const noexcept {
    store_column(kernels, target(row, at), rows, sums);
  }

 private:
  /// Where outputs go from that row and column on.
  [[nodiscard]] store_target<T> target(std::size_t row, std::size_t column) const noexcept {
    const matrix_view<const T>& residual = fused.residual;
    return {&y(row, column),
            y.stride(0),
            y.stride(1),
            fused.bias.empty() ? nullptr : &fused.bias[row],
            residual.empty() ? nullptr : &residual(row, column),
            residual.stride(0),
            residual.stride(1),
            fused.relu,
            scales == nullptr ? nullptr : scales + row};
  }
};

template <scalar T>
void check_product(std::size_t rows, std::size_t cols, const matrix_view<const T>& x, const matrix_view<T>& y,
                   const epilogue<T>& fused) {
  require(x.rows() == cols, errc::bad_shape, "weights of ", rows, " x ", cols, " times an input of ", x.rows(), " x ",
          x.cols());
  require(y.rows() == rows && y.cols() == x.cols(), errc::bad_shape, "output of ", y.rows(), " x ", y.cols(),
          " for a product of ", rows, " x ", x.cols());
  check_bias(fused, rows);
  require(fused.residual.empty() || (fused.residual.rows() == rows && fused.residual.cols() == x.cols()),
          errc::bad_shape, "residual of ", fused.residual.rows(), " x ", fused.residual.cols(), " for an output of ",
          rows, " x ", x.cols());
}

}  // namespace detail

/// y = act(W x + bias + residual), x of W.cols() x n, y of W.rows() x n, any strides; y must not overlap x, the
/// residual may be y. Tokens stored as rows are given transposed. Computes from codes: memory beyond the operands is
/// scratch per worker, about 1 MB and at most max_scratch but for rows or blocks of tens of thousands of elements.
/// Throws bad_shape, with the sizes, before anything is written. Every element of y is the same bits for any executor
/// and however the columns are split over calls of the same path. Throws unsupported when a path is forced that does
/// not serve (see why_not). Cost: see path_cost.
template <scalar T>
void gemm(const prepacked_matrix<T>& w, std::type_identity_t<matrix_view<const T>> x,
          std::type_identity_t<matrix_view<T>> y, const std::type_identity_t<epilogue<T>>& fused = {},
          executor_ref exec = {}, gemm_path path = gemm_path::automatic) {
  detail::check_product(w.rows(), w.cols(), x, y, fused);
  if (y.empty()) return;
  const gemm_plan plan = plan_gemm(w, x.cols(), path);
  const kernel_table<T>& kernels = w.kernels();
  const detail::matrix_output<T> store{kernels, fused, w.scales(), y};
  const detail::matrix_columns<T> reader{kernels, x};
  if (is_gemv(plan.path))
    detail::multiply_columns(w, plan.path, x, store, exec);
  else if (plan.path == gemm_path::int8)
    detail::multiply_int8(w, x, reader, store, exec);
  else
    detail::multiply_panels(w, plan.path, {1, w.rows(), x.cols()}, reader, store, exec);
}

/// The same for a matrix that is multiplied with once; prepacks it on the way.
template <scalar T>
void gemm(const pq_matrix<T>& w, std::type_identity_t<matrix_view<const T>> x, std::type_identity_t<matrix_view<T>> y,
          const std::type_identity_t<epilogue<T>>& fused = {}, executor_ref exec = {},
          gemm_path path = gemm_path::automatic) {
  detail::check_product(w.rows(), w.cols(), x, y, fused);
  gemm(prepack(w), x, y, fused, exec, path);
}

/// y = act(W x + bias + residual) for one vector; x of W.cols(), y of W.rows() elements. See gemm.
template <scalar T>
void gemv(const prepacked_matrix<T>& w, std::type_identity_t<std::span<const T>> x,
          std::type_identity_t<std::span<T>> y, const std::type_identity_t<epilogue<T>>& fused = {},
          executor_ref exec = {}, gemm_path path = gemm_path::automatic) {
  gemm(w, matrix_view<const T>(x, x.size(), 1), matrix_view<T>(y, y.size(), 1), fused, exec, path);
}

}  // namespace v1
}  // namespace bitpq
