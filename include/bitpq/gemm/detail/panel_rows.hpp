// SPDX-License-Identifier: Apache-2.0
#pragma once

// Where kernels find the right operand: packed, or where it lies.

#include <bitpq/core/concepts.hpp>

namespace bitpq {
inline namespace v1 {
namespace detail {

/// Rows of the right operand, at stride ld. Null: they are nowhere yet.
template <class T>
struct panel_rows {
  const T* at = nullptr;
  std::size_t ld = 0;
};

/// Whether kernels may read `columns` columns of rows that lie `row` elements apart where they are: whole vectors, for
/// nothing beyond the last column may be there to read, and no distance that lays all rows into a few sets of a cache.
template <class T>
constexpr bool rows_serve(std::ptrdiff_t row, std::size_t columns, std::size_t lanes) noexcept {
  return row > 0 && columns % lanes == 0 && static_cast<std::size_t>(row) * sizeof(T) % 2048 != 0;
}

}  // namespace detail
}  // namespace v1
}  // namespace bitpq
