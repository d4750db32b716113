// SPDX-License-Identifier: Apache-2.0
#pragma once

// The last step of a product: from sums to the caller's output, with the row's scale, bias, residual and activation on
// the way, so that the output is touched once.

#include <bitpq/kernel/arguments.hpp>
#include <bitpq/kernel/simd.hpp>

namespace bitpq {
inline namespace v1 {

namespace detail {

/// sums[i] * scale + bias for i < n, at most a vector, to the front of `values`: in a vector, so that these are the
/// bits of whole ones, whether or not the compiler fuses the two operations.
template <scalar T, class Arch>
BITPQ_FORCE_INLINE void scale_few(const T* sums, std::size_t n, T scale, T bias, T* values) noexcept {
  using s = simd<T, Arch>;
  T padded[s::size] = {};
  for (std::size_t i = 0; n < s::size && i < n; ++i) padded[i] = sums[i];
  s::store(values, s::fma(s::load(n < s::size ? padded : sums), s::set(scale), s::set(bias)));
}

/// Outputs c, c + 1, ... of a row, neighbours in memory, in whole vectors and, for floats, the last in narrower ones;
/// returns the first that is left.
template <bool Scaled, scalar T, class Arch>
BITPQ_FORCE_INLINE std::size_t store_neighbours(const T* sums, std::size_t c, std::size_t columns, T scale, T bias,
                                                const T* residual, bool relu, T* y) noexcept {
  using s = simd<T, Arch>;
  const typename s::vec zero = s::set(T{0}), factor = s::set(scale), shift = s::set(bias);
  for (; c + s::size <= columns; c += s::size) {
    const typename s::vec sum = s::load(sums + c);
    typename s::vec v = Scaled ? s::fma(sum, factor, shift) : s::add(sum, shift);
    if (residual != nullptr) v = s::add(v, s::load(residual + c));
    s::store(y + c, relu ? s::select(s::less(v, zero), zero, v) : v);
  }
  if constexpr (narrows<T> && s::size > 4)
    return store_neighbours<Scaled, T, typename narrowed<T, Arch, s::size / 2>::type>(sums, c, columns, scale, bias,
                                                                                      residual, relu, y);
  else
    return c;
}

/// Whether neighbours of a row are neighbours in memory.
template <scalar T>
BITPQ_FORCE_INLINE bool is_contiguous(const store_target<T>& to) noexcept {
  return to.y_column == 1 && (to.residual == nullptr || to.residual_column == 1);
}

/// store_rows with or without scales: those without are not to pay for them.
template <bool Scaled, scalar T, class Arch>
void store_scaled(const T* BITPQ_RESTRICT sums, std::size_t ld, std::size_t rows, std::size_t columns,
                  const store_target<T>& to) noexcept {
  using s = simd<T, Arch>;
  const bool contiguous = is_contiguous(to);
  constexpr std::size_t ahead = 6, line = 64 / sizeof(T);
  for (std::size_t r = 0; r < rows; ++r, sums += ld) {
    const auto row = static_cast<std::ptrdiff_t>(r);
    if (contiguous && r + ahead < rows)  // rows are often pages apart, where no hardware looks ahead
      for (std::size_t c = 0; c < columns; c += line)
        prefetch_for_write(to.y + (row + static_cast<std::ptrdiff_t>(ahead)) * to.y_row + c);
    const T scale = Scaled ? to.scale[r] : T{1};
    const T bias = to.bias == nullptr ? T{0} : to.bias[r];
    T* const y = to.y + row * to.y_row;
    const T* const residual = to.residual == nullptr ? nullptr : to.residual + row * to.residual_row;
    std::size_t c = 0;
    if (contiguous)
      c = store_neighbours<Scaled, T, Arch>(sums, std::size_t{0}, columns, scale, bias, residual, to.relu, y);
    T few[s::size];
    for (std::size_t i = 0; c < columns; ++c, i = (i + 1) % s::size) {
      if (Scaled && i == 0)
        scale_few<T, Arch>(sums + c, columns - c < s::size ? columns - c : s::size, scale, bias, few);
      const auto column = static_cast<std::ptrdiff_t>(c);
      T v = Scaled ? few[i] : sums[c] + bias;
      if (residual != nullptr) v += residual[column * to.residual_column];
      y[column * to.y_column] = to.relu && v < T{0} ? T{0} : v;
    }
  }
}

}  // namespace detail

/// Stores rows x columns of sums at row stride ld. NaN stays NaN.
template <scalar T, class Arch>
void store_rows(const T* sums, std::size_t ld, std::size_t rows, std::size_t columns,
                const store_target<T>& to) noexcept {
  if (to.scale == nullptr)
    detail::store_scaled<false, T, Arch>(sums, ld, rows, columns, to);
  else
    detail::store_scaled<true, T, Arch>(sums, ld, rows, columns, to);
}

}  // namespace v1
}  // namespace bitpq
