// SPDX-License-Identifier: Apache-2.0
#pragma once

// A tensor as a file holds it: name, element type, shape, and bytes that belong to someone else. Readers hand these out
// and writers take them, so that a tensor travels from file to file without a copy.

#include <bitpq/core/concepts.hpp>
#include <bitpq/io/dtype.hpp>

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace bitpq {
inline namespace v1 {

/// Row-major, little-endian; `bytes` may lie at any address.
struct tensor_view {
  std::string name;
  dtype type = dtype::u8;
  std::vector<std::size_t> shape;
  std::span<const std::byte> bytes;
};

/// The free-form strings of a file.
using metadata_map = std::map<std::string, std::string, std::less<>>;

/// The longest header that is read or written, as in the reference implementation.
inline constexpr std::size_t max_header_bytes = 100'000'000;

/// Product of the shape, 1 for a scalar; nothing when it overflows. A zero does not excuse an overflow before it.
[[nodiscard]] inline std::optional<std::size_t> element_count(std::span<const std::size_t> shape) noexcept {
  std::size_t count = 1;
  for (const std::size_t extent : shape) {
    if (extent != 0 && count > (std::numeric_limits<std::size_t>::max)() / extent) return std::nullopt;
    count *= extent;
  }
  return count;
}

/// Bytes of a tensor of that type and shape; nothing when their number overflows or is not whole.
[[nodiscard]] inline std::optional<std::size_t> byte_count(dtype type, std::span<const std::size_t> shape) noexcept {
  const std::optional<std::size_t> count = element_count(shape);
  const std::size_t bits = bits_of(type);
  if (!count || *count > (std::numeric_limits<std::size_t>::max)() / bits || *count * bits % 8 != 0)
    return std::nullopt;
  return *count * bits / 8;
}

}  // namespace v1
}  // namespace bitpq
