// SPDX-License-Identifier: Apache-2.0
#pragma once

// The element types that a safetensors file can hold, by the names the format gives them.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace bitpq {
inline namespace v1 {

/// Element types of safetensors. bitpq stores and carries all of them; it computes with f16, bf16, f32 and f64.
enum class dtype : std::uint8_t {
  boolean,
  f4,
  f6_e2m3,
  f6_e3m2,
  u8,
  i8,
  f8_e5m2,
  f8_e4m3,
  f8_e8m0,
  i16,
  u16,
  f16,
  bf16,
  i32,
  u32,
  f32,
  c64,
  f64,
  i64,
  u64,
};

namespace detail {

struct dtype_row {
  dtype type;
  std::string_view name;
  std::size_t bits;
};

/// In the order of the enumeration.
inline constexpr dtype_row dtype_table[] = {
    {dtype::boolean, "BOOL", 8},    {dtype::f4, "F4", 4},           {dtype::f6_e2m3, "F6_E2M3", 6},
    {dtype::f6_e3m2, "F6_E3M2", 6}, {dtype::u8, "U8", 8},           {dtype::i8, "I8", 8},
    {dtype::f8_e5m2, "F8_E5M2", 8}, {dtype::f8_e4m3, "F8_E4M3", 8}, {dtype::f8_e8m0, "F8_E8M0", 8},
    {dtype::i16, "I16", 16},        {dtype::u16, "U16", 16},        {dtype::f16, "F16", 16},
    {dtype::bf16, "BF16", 16},      {dtype::i32, "I32", 32},        {dtype::u32, "U32", 32},
    {dtype::f32, "F32", 32},        {dtype::c64, "C64", 64},        {dtype::f64, "F64", 64},
    {dtype::i64, "I64", 64},        {dtype::u64, "U64", 64},
};

}  // namespace detail

/// The name in a file, as "BF16".
[[nodiscard]] constexpr std::string_view to_string(dtype type) noexcept {
  for (const detail::dtype_row& row : detail::dtype_table)
    if (row.type == type) return row.name;
  return "unknown";
}

/// Bits of one element; below 8 for the packed types F4 and F6.
[[nodiscard]] constexpr std::size_t bits_of(dtype type) noexcept {
  for (const detail::dtype_row& row : detail::dtype_table)
    if (row.type == type) return row.bits;
  return 0;
}

/// The type of that name, if the format knows it.
[[nodiscard]] constexpr std::optional<dtype> dtype_from(std::string_view name) noexcept {
  for (const detail::dtype_row& row : detail::dtype_table)
    if (row.name == name) return row.type;
  return std::nullopt;
}

}  // namespace v1
}  // namespace bitpq
