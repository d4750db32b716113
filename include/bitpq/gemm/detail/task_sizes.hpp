// SPDX-License-Identifier: Apache-2.0
#pragma once

// How much of a product one task takes: sizes that the loops run by and that the cost model counts with.

#include <bitpq/kernel/arguments.hpp>

namespace bitpq {
inline namespace v1 {
namespace detail {

/// Rows of a task that multiplies directly, reading weights or codewords.
inline constexpr std::size_t direct_task_rows = 384;
/// Rows of a task that looks up. Building tables is shared by all of them.
inline constexpr std::size_t table_task_rows = 2048;
/// Blocks whose tables are built while the tables of as many are read. More of them load and store the sums less often,
/// which pays where rows are many and tables small.
inline constexpr std::size_t table_blocks = 8, small_table_blocks = 16;
/// Multiply-adds per look-up from which on tables are as wide as panels, if all cores are to have the same.
inline constexpr double common_wide_tables = 6;
/// Rows of a task of 8-bit products.
inline constexpr std::size_t int8_task_rows = 1024;
/// Bytes of a task's products at all of Winograd's positions: 128 rows of four vectors of 64 bytes of tiles of 4 x 4.
/// More than the second-level cache holds, but they come and go in order, and tasks of fewer rows transform more
/// inputs.
constexpr std::size_t winograd_task_bytes(std::size_t stride) noexcept {
  return 128 * 4 * 64 * winograd_positions(4, stride);
}
/// Channels at a time, of whose transformed inputs a panel at one position is to stay in the first-level cache and all
/// are to leave the products room. No block may have more.
constexpr std::size_t winograd_task_channels(std::size_t tile, std::size_t stride) noexcept {
  return winograd_positions(tile, stride) > 64 ? 64 : 128;
}
inline constexpr std::size_t max_winograd_filters = 64;
/// How many tiles of a piece are multiplied in strips, where kernels have them: all of a vector and a quarter, else as
/// many as a quarter of a vector beyond whole ones.
constexpr std::size_t tiles_in_strips(std::size_t tiles, std::size_t lanes) noexcept {
  if (tiles <= lanes + lanes / 4) return tiles;
  return tiles % lanes <= lanes / 4 ? tiles % lanes : 0;
}

}  // namespace detail
}  // namespace v1
}  // namespace bitpq
