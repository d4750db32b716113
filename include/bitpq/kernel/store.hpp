// SPDX-License-Identifier: Apache-2.0
#pragma once

// The last step of a product: from sums in a panel to the caller's output, with bias, residual and activation on the
// way, so that the output is touched once.

#include <bitpq/kernel/simd.hpp>

namespace bitpq {
inline namespace v1 {

/// y[i] = act(sums[i] + bias + residual[i]) for i < n; a null residual is none; act is max(0, .) with relu, else the
/// identity. Strides are in elements. NaN stays NaN.
template <scalar T, class Arch>
void store_row(const T* BITPQ_RESTRICT sums, T bias, const T* residual, std::ptrdiff_t residual_stride, T* y,
               std::ptrdiff_t y_stride, std::size_t n, bool relu) noexcept {
  using s = simd<T, Arch>;
  std::size_t i = 0;
  if (y_stride == 1 && (residual == nullptr || residual_stride == 1)) {
    const typename s::vec shift = s::set(bias), zero = s::set(T{0});
    for (; i + s::size <= n; i += s::size) {
      typename s::vec v = s::add(s::load(sums + i), shift);
      if (residual != nullptr) v = s::add(v, s::load(residual + i));
      s::store(y + i, relu ? s::select(s::less(v, zero), zero, v) : v);
    }
  }
  for (; i < n; ++i) {
    const auto at = static_cast<std::ptrdiff_t>(i);
    T v = sums[i] + bias;
    if (residual != nullptr) v += residual[at * residual_stride];
    y[at * y_stride] = relu && v < T{0} ? T{0} : v;
  }
}

}  // namespace v1
}  // namespace bitpq
