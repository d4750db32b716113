// SPDX-License-Identifier: Apache-2.0
#pragma once

// The last step of a product: from sums to the caller's output, with the row's scale, bias, residual and activation on
// the way, so that the output is touched once.

#include <bitpq/kernel/arguments.hpp>
#include <bitpq/kernel/simd.hpp>

namespace bitpq {
inline namespace v1 {

/// Stores rows x columns of sums at row stride ld. NaN stays NaN.
template <scalar T, class Arch>
void store_rows(const T* BITPQ_RESTRICT sums, std::size_t ld, std::size_t rows, std::size_t columns,
                const store_target<T>& to) noexcept {
  using s = simd<T, Arch>;
  const typename s::vec zero = s::set(T{0});
  const bool contiguous = to.y_column == 1 && (to.residual == nullptr || to.residual_column == 1);
  constexpr std::size_t ahead = 6, line = 64 / sizeof(T);
  for (std::size_t r = 0; r < rows; ++r, sums += ld) {
    const auto row = static_cast<std::ptrdiff_t>(r);
    if (contiguous && r + ahead < rows)  // rows are often pages apart, where no hardware looks ahead
      for (std::size_t c = 0; c < columns; c += line)
        prefetch_for_write(to.y + (row + static_cast<std::ptrdiff_t>(ahead)) * to.y_row + c);
    const T bias = to.bias == nullptr ? T{0} : to.bias[r];
    const T scale = to.scale == nullptr ? T{1} : to.scale[r];  // times 1 is exact: the very bits of adding the bias
    T* const y = to.y + row * to.y_row;
    const T* const residual = to.residual == nullptr ? nullptr : to.residual + row * to.residual_row;
    std::size_t c = 0;
    if (contiguous)
      for (const typename s::vec factor = s::set(scale), shift = s::set(bias); c + s::size <= columns; c += s::size) {
        typename s::vec v = s::fma(s::load(sums + c), factor, shift);
        if (residual != nullptr) v = s::add(v, s::load(residual + c));
        s::store(y + c, to.relu ? s::select(s::less(v, zero), zero, v) : v);
      }
    for (; c < columns; ++c) {
      const auto column = static_cast<std::ptrdiff_t>(c);
      T v = simd<T, scalar_arch>::fma(sums[c], scale, bias);
      if (residual != nullptr) v += residual[column * to.residual_column];
      y[column * to.y_column] = to.relu && v < T{0} ? T{0} : v;
    }
  }
}

}  // namespace v1
}  // namespace bitpq
