// SPDX-License-Identifier: Apache-2.0
#pragma once

// The right operand of the offline side's large products (second moments and their factors), packed once and
// multiplied by many runs of rows.

#include <bitpq/core/aligned_buffer.hpp>
#include <bitpq/core/executor.hpp>
#include <bitpq/kernel/dispatch.hpp>

#include <algorithm>

namespace bitpq {
inline namespace v1 {
namespace detail {

/// A rows x cols matrix in panels of `panel()` columns, each contiguous row by row; the last one padded with zeros.
template <scalar T>
class packed_matrix {
 public:
  packed_matrix() = default;

  /// Of the elements at(i, j).
  template <class At>
  packed_matrix(std::size_t rows, std::size_t cols, const At& at, executor_ref exec)
      : kernels_(&kernels<T>()),
        rows_(rows),
        cols_(cols),
        values_(checked_product(rows, round_up(cols, kernels_->panel), "packed matrix")) {
    const std::size_t width = panel();
    exec.bulk(panels(), [&](std::size_t, std::size_t p) {
      T* out = values_.data() + p * rows_ * width;
      for (std::size_t i = 0; i < rows_; ++i)
        for (std::size_t lane = 0; lane < width; ++lane)
          *out++ = p * width + lane < cols_ ? static_cast<T>(at(i, p * width + lane)) : T{0};
    });
  }

  [[nodiscard]] bool empty() const noexcept { return values_.empty(); }
  [[nodiscard]] std::size_t rows() const noexcept { return rows_; }
  [[nodiscard]] std::size_t cols() const noexcept { return cols_; }
  [[nodiscard]] std::size_t panel() const noexcept { return kernels_->panel; }
  [[nodiscard]] std::size_t panels() const noexcept { return ceil_div(cols_, panel()); }
  /// Columns of a product: whole panels.
  [[nodiscard]] std::size_t padded_cols() const noexcept { return panels() * panel(); }

  [[nodiscard]] T operator()(std::size_t i, std::size_t j) const noexcept {
    return values_[(j / panel() * rows_ + i) * panel() + j % panel()];
  }

  /// c (+)= a * (rows [first, first + depth) of this matrix), in the columns of the panels [from, to). `a` is n x depth
  /// with row stride lda, c n x padded_cols() with row stride ldc. Without `accumulate`, c is written only. An
  /// element's sum does not depend on n, nor on the panels asked for.
  void multiply(const T* a, std::size_t lda, std::size_t n, std::size_t first, std::size_t depth, std::size_t from,
                std::size_t to, T* c, std::size_t ldc, bool accumulate) const {
    constexpr std::size_t run = 512;  // of a panel, which stays in the second-level cache for all rows
    for (std::size_t k = 0; k < depth; k += run) {
      const std::size_t deep = (std::min)(run, depth - k);
      for (std::size_t p = from; p < to; ++p)
        kernels_->gemm_panel(a + k, static_cast<std::ptrdiff_t>(lda),
                             values_.data() + (p * rows_ + first + k) * panel(), panel(), c + p * panel(),
                             static_cast<std::ptrdiff_t>(ldc), n, panel(), deep, accumulate || k > 0);
    }
  }

 private:
  const kernel_table<T>* kernels_ = nullptr;
  std::size_t rows_ = 0;
  std::size_t cols_ = 0;
  aligned_buffer<T> values_;
};

}  // namespace detail
}  // namespace v1
}  // namespace bitpq
