// SPDX-License-Identifier: Apache-2.0
#pragma once

// The runs of blocks in which a product goes through the depth: whole blocks, of one codebook each.

#include <bitpq/codec/code_format.hpp>

#include <algorithm>

namespace bitpq {
inline namespace v1 {
namespace detail {

/// The end of a run of at most `max_blocks` blocks that begins at column k0, cut where its codebook ends.
inline std::size_t end_of_run(const code_format& format, std::size_t k0, std::size_t max_blocks) noexcept {
  const std::size_t first = k0 / format.block_size;
  const std::size_t last = (std::min)(first + max_blocks, format.codebook_end(first));
  return (std::min)(last * format.block_size, format.cols);
}

/// Blocks of a run of about `columns` columns.
inline std::size_t blocks_of(const code_format& format, std::size_t columns) noexcept {
  return (std::max)(std::size_t{1}, columns / format.block_size);
}

}  // namespace detail
}  // namespace v1
}  // namespace bitpq
