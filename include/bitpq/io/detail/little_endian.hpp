// SPDX-License-Identifier: Apache-2.0
#pragma once

// Numbers as files hold them: least significant byte first, at any address.

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstring>
#include <type_traits>

namespace bitpq {
inline namespace v1 {
namespace detail {

/// The number at `bytes`, which need not be aligned.
template <class N>
requires std::is_arithmetic_v<N>
[[nodiscard]] inline N load_le(const std::byte* bytes) noexcept {
  std::array<std::byte, sizeof(N)> raw;
  std::memcpy(raw.data(), bytes, sizeof(N));
  if constexpr (std::endian::native == std::endian::big) std::reverse(raw.begin(), raw.end());
  return std::bit_cast<N>(raw);
}

/// Writes `value` to `bytes`, which need not be aligned.
template <class N>
requires std::is_arithmetic_v<N>
inline void store_le(N value, std::byte* bytes) noexcept {
  auto raw = std::bit_cast<std::array<std::byte, sizeof(N)>>(value);
  if constexpr (std::endian::native == std::endian::big) std::reverse(raw.begin(), raw.end());
  std::memcpy(bytes, raw.data(), sizeof(N));
}

}  // namespace detail
}  // namespace v1
}  // namespace bitpq
