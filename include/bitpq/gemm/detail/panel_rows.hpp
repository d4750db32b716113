// SPDX-License-Identifier: Apache-2.0
#pragma once

// Where kernels find the right operand: packed, or where it lies.

#include <bitpq/kernel/table.hpp>

namespace bitpq {
inline namespace v1 {
namespace detail {

/// Rows of the right operand, at stride ld. Null: they are nowhere yet.
template <class T>
struct panel_rows {
  const T* at = nullptr;
  std::size_t ld = 0;
};

/// Whether kernels should read `columns` columns of rows that lie `row` elements apart where they are: whole vectors,
/// for nothing beyond the last column may be there to read; panels of several lines, for each row may be a page of its
/// own; and no distance that lays all rows into a few sets of a cache.
template <scalar T>
constexpr bool rows_serve(const kernel_table<T>& kernels, std::ptrdiff_t row, std::size_t columns) noexcept {
  return row > 0 && columns % kernels.lanes == 0 && kernels.panel * sizeof(T) >= 256 &&
         static_cast<std::size_t>(row) * sizeof(T) % 2048 != 0;
}

}  // namespace detail
}  // namespace v1
}  // namespace bitpq
