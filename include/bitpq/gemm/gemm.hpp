// SPDX-License-Identifier: Apache-2.0
#pragma once

// Products of compressed matrices with matrices of activations: linear layers, 1 x 1 convolutions, batches of tokens.

#include <bitpq/gemm/detail/matvec.hpp>
#include <bitpq/gemm/detail/panels.hpp>
#include <bitpq/gemm/epilogue.hpp>
#include <bitpq/gemm/gemv_path.hpp>

#include <type_traits>

namespace bitpq {
inline namespace v1 {

namespace detail {

/// Packs columns of a matrix with any strides.
template <scalar T>
struct matrix_columns {
  matrix_view<const T> x;

  void operator()(std::size_t /*group*/, std::size_t k0, std::size_t k1, std::size_t column, std::size_t n, T* dst,
                  std::size_t ld) const noexcept {
    if (x.stride(1) == 1) {
      for (std::size_t k = k0; k < k1; ++k) std::copy_n(&x(k, column), n, dst + (k - k0) * ld);
      return;
    }
    for (std::size_t lane = 0; lane < n; ++lane)  // tokens as rows: read along them
      for (std::size_t k = k0; k < k1; ++k) dst[(k - k0) * ld + lane] = x(k, column + lane);
  }
};

/// Writes sums to a matrix with any strides.
template <scalar T>
struct matrix_output {
  const kernel_table<T>& kernels;
  const epilogue<T>& fused;
  matrix_view<T> y;

  void operator()(std::size_t /*group*/, std::size_t row, std::size_t rows, std::size_t column, std::size_t n,
                  const T* sums) const noexcept {
    for (std::size_t r = row; r < row + rows; ++r)
      kernels.store_row(sums + (r - row) * kernels.panel, fused.bias.empty() ? T{0} : fused.bias[r],
                        fused.residual.empty() ? nullptr : &fused.residual(r, column), fused.residual.stride(1),
                        &y(r, column), y.stride(1), n, fused.relu);
  }

  /// The same for one column, whose sums lie together; the bias is added to them on the way.
  void column(std::size_t row, std::size_t rows, std::size_t at, T* sums) const noexcept {
    if (!fused.bias.empty())
      for (std::size_t r = 0; r < rows; ++r) sums[r] += fused.bias[row + r];
    kernels.store_row(sums, T{0}, fused.residual.empty() ? nullptr : &fused.residual(row, at), fused.residual.stride(0),
                      &y(row, at), y.stride(0), rows, fused.relu);
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
/// scratch per worker, about 1 MB; only a forced path may take more (lut: a table of codewords x panel elements; gemv:
/// a copy of x). Throws bad_shape, with the sizes, before anything is written. Every element of y is the same bits for
/// any executor and however the columns are split over calls of the same path. Throws unsupported when a path is forced
/// that the instruction set or the precision allowed to `w` does not have (see why_no_gemv). Cost: see make_plan.
template <scalar T>
void gemm(const prepacked_matrix<T>& w, std::type_identity_t<matrix_view<const T>> x,
          std::type_identity_t<matrix_view<T>> y, const std::type_identity_t<epilogue<T>>& fused = {},
          executor_ref exec = {}, gemm_path path = gemm_path::automatic) {
  detail::check_product(w.rows(), w.cols(), x, y, fused);
  if (y.empty()) return;
  require_gemv_path(w, path);
  const kernel_table<T>& kernels = w.kernels();
  const gemm_plan plan = make_plan(w.format(), {w.rows(), x.cols(), kernels.lanes, kernels.panel}, path);
  const detail::matrix_output<T> store{kernels, fused, y};
  if (is_gemv(path))
    detail::multiply_columns(w, path, x, store, exec);
  else if (plan.path == gemm_path::gemv)
    detail::multiply_columns(w, best_gemv_path(w, x.cols()), x, store, exec);
  else
    detail::multiply_panels(w, plan.path, {1, w.rows(), x.cols()}, detail::matrix_columns<T>{x}, store, exec);
}

/// The same for a matrix that is multiplied with once; prepacks it on the way.
template <scalar T>
void gemm(const pq_matrix<T>& w, std::type_identity_t<matrix_view<const T>> x, std::type_identity_t<matrix_view<T>> y,
          const std::type_identity_t<epilogue<T>>& fused = {}, executor_ref exec = {},
          gemm_path path = gemm_path::automatic) {
  detail::check_product(w.rows(), w.cols(), x, y, fused);
  gemm(prepack(w), x, y, fused, exec, path);
}

/// y = act(W x + bias + residual) for one vector; x of W.cols(), y of W.rows() elements. Of the paths gemv, gemv_lut
/// and lut16 takes the best that the instruction set has and the precision of `w` allows, or the one that is forced.
template <scalar T>
void gemv(const prepacked_matrix<T>& w, std::type_identity_t<std::span<const T>> x,
          std::type_identity_t<std::span<T>> y, const std::type_identity_t<epilogue<T>>& fused = {},
          executor_ref exec = {}, gemm_path path = gemm_path::automatic) {
  if (path == gemm_path::automatic && w.rows() > 0) path = best_gemv_path(w, 1);
  gemm(w, matrix_view<const T>(x, x.size(), 1), matrix_view<T>(y, y.size(), 1), fused, exec, path);
}

}  // namespace v1
}  // namespace bitpq
