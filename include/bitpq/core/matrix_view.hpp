// SPDX-License-Identifier: Apache-2.0
#pragma once

// A non-owning view of a matrix with any two strides, so that row-major, column-major, transposed and sub-matrix
// data of a host are read where they lie. The words are mdspan's: extent, stride, data_handle.

#include <bitpq/core/concepts.hpp>

#include <array>
#include <span>
#include <type_traits>

namespace bitpq {
inline namespace v1 {

namespace detail {
/// Eigen's dense expressions with direct access, recognised by shape so that Eigen need not be included.
template <class M, class T>
concept strided_matrix = requires(M& m) {
  { m.data() } -> std::convertible_to<T*>;
  { m.rows() } -> std::convertible_to<std::ptrdiff_t>;
  { m.cols() } -> std::convertible_to<std::ptrdiff_t>;
  { m.rowStride() } -> std::convertible_to<std::ptrdiff_t>;
  { m.colStride() } -> std::convertible_to<std::ptrdiff_t>;
};
}  // namespace detail

/// View of rows x cols elements; element (i, j) lies at data_handle()[i * stride(0) + j * stride(1)].
template <class T>
class matrix_view {
 public:
  using element_type = T;
  using value_type = std::remove_cv_t<T>;

  constexpr matrix_view() = default;

  /// Row-major, contiguous. Throws bad_shape for a null pointer with a non-empty shape.
  constexpr matrix_view(T* data, std::size_t rows, std::size_t cols)
      : matrix_view(data, rows, cols, static_cast<std::ptrdiff_t>(cols), 1) {}

  /// Any strides, counted in elements; they may be negative.
  constexpr matrix_view(T* data, std::size_t rows, std::size_t cols, std::ptrdiff_t row_stride,
                        std::ptrdiff_t col_stride = 1)
      : data_(data), extents_{rows, cols}, strides_{row_stride, col_stride} {
    require(data != nullptr || rows == 0 || cols == 0, errc::bad_shape, "matrix view of ", rows, " x ", cols,
            " over a null pointer");
  }

  /// Row-major over a span. Throws bad_shape unless the span holds rows * cols elements.
  constexpr matrix_view(std::span<T> data, std::size_t rows, std::size_t cols) : matrix_view(data.data(), rows, cols) {
    require(data.size() == checked_product(rows, cols, "matrix view"), errc::bad_shape, "span of ", data.size(),
            " elements viewed as ", rows, " x ", cols);
  }

  /// Eigen matrices, maps and blocks.
  template <class M>
  requires detail::strided_matrix<M, T>
  constexpr matrix_view(M&& m)  // NOLINT(google-explicit-constructor): a view is what the host's matrix is here
      : matrix_view(m.data(), static_cast<std::size_t>(m.rows()), static_cast<std::size_t>(m.cols()),
                    static_cast<std::ptrdiff_t>(m.rowStride()), static_cast<std::ptrdiff_t>(m.colStride())) {}

  /// A view of const elements from one of mutable elements.
  template <class U>
  requires(std::same_as<T, const U>) constexpr matrix_view(
      const matrix_view<U>& other) noexcept  // NOLINT(google-explicit-constructor)
      : data_(other.data_handle()), extents_{other.rows(), other.cols()}, strides_{other.stride(0), other.stride(1)} {}

  [[nodiscard]] constexpr T* data_handle() const noexcept { return data_; }
  [[nodiscard]] constexpr std::size_t extent(std::size_t dim) const noexcept { return extents_[dim]; }
  [[nodiscard]] constexpr std::ptrdiff_t stride(std::size_t dim) const noexcept { return strides_[dim]; }
  [[nodiscard]] constexpr std::size_t rows() const noexcept { return extents_[0]; }
  [[nodiscard]] constexpr std::size_t cols() const noexcept { return extents_[1]; }
  [[nodiscard]] constexpr std::size_t size() const noexcept { return extents_[0] * extents_[1]; }
  [[nodiscard]] constexpr bool empty() const noexcept { return size() == 0; }

  [[nodiscard]] constexpr T& operator()(std::size_t i, std::size_t j) const noexcept {
    return data_[static_cast<std::ptrdiff_t>(i) * strides_[0] + static_cast<std::ptrdiff_t>(j) * strides_[1]];
  }

  /// The part of `rows` x `cols` that starts at (row, col). Throws bad_shape when it leaves the view.
  [[nodiscard]] constexpr matrix_view block(std::size_t row, std::size_t col, std::size_t rows,
                                            std::size_t cols) const {
    require(row <= extents_[0] && rows <= extents_[0] - row && col <= extents_[1] && cols <= extents_[1] - col,
            errc::bad_shape, "block of ", rows, " x ", cols, " at (", row, ", ", col, ") leaves a view of ",
            extents_[0], " x ", extents_[1]);
    T* const first = data_ == nullptr ? nullptr : &(*this)(row, col);
    return matrix_view(first, rows, cols, strides_[0], strides_[1]);
  }

  [[nodiscard]] constexpr matrix_view transposed() const noexcept {
    matrix_view t;
    t.data_ = data_;
    t.extents_ = {extents_[1], extents_[0]};
    t.strides_ = {strides_[1], strides_[0]};
    return t;
  }

 private:
  T* data_ = nullptr;
  std::array<std::size_t, 2> extents_{0, 0};
  std::array<std::ptrdiff_t, 2> strides_{0, 1};
};

/// Throws errc::non_finite that names the first NaN or infinity; O(rows * cols).
template <class T>
void require_finite(const matrix_view<T>& m, const char* what) {
  for (std::size_t i = 0; i < m.rows(); ++i)
    for (std::size_t j = 0; j < m.cols(); ++j)
      require(std::isfinite(m(i, j)), errc::non_finite, what, " holds ", m(i, j), " at (", i, ", ", j, ")");
}

/// The same for a flat sequence.
template <class T>
void require_finite(std::span<const T> values, const char* what) {
  for (std::size_t i = 0; i < values.size(); ++i)
    require(std::isfinite(values[i]), errc::non_finite, what, " holds ", values[i], " at ", i);
}

}  // namespace v1
}  // namespace bitpq
