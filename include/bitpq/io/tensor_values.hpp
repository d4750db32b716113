// SPDX-License-Identifier: Apache-2.0
#pragma once

// Tensor bytes to numbers and back, for the floating-point types.

#include <bitpq/core/concepts.hpp>
#include <bitpq/core/half.hpp>
#include <bitpq/io/detail/little_endian.hpp>
#include <bitpq/io/dtype.hpp>

#include <span>
#include <vector>

namespace bitpq {
inline namespace v1 {

namespace detail {

/// Rounds to nearest even; NaN stays NaN.
constexpr std::uint16_t bfloat16_from_float(float value) noexcept {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7FFFFFFFU) > 0x7F800000U) return static_cast<std::uint16_t>((bits >> 16) | 0x40U);
  return static_cast<std::uint16_t>((bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16);
}

constexpr float bfloat16_to_float(std::uint16_t value) noexcept {
  return std::bit_cast<float>(static_cast<std::uint32_t>(value) << 16);
}

/// Calls f(load, store, size) for the storage type: `load` makes a float or double of the bytes at an address, `store`
/// writes a float or double there, rounded.
template <class F>
void with_storage(dtype type, F&& f) {
  switch (type) {
    case dtype::f16:
      return f([](const std::byte* p) { return half_to_float(load_le<std::uint16_t>(p)); },
               [](auto v, std::byte* p) { store_le(half_from_double(static_cast<double>(v)), p); }, std::size_t{2});
    case dtype::bf16:
      return f([](const std::byte* p) { return bfloat16_to_float(load_le<std::uint16_t>(p)); },
               [](auto v, std::byte* p) { store_le(bfloat16_from_float(static_cast<float>(v)), p); }, std::size_t{2});
    case dtype::f32:
      return f([](const std::byte* p) { return load_le<float>(p); },
               [](auto v, std::byte* p) { store_le(static_cast<float>(v), p); }, std::size_t{4});
    case dtype::f64:
      return f([](const std::byte* p) { return load_le<double>(p); },
               [](auto v, std::byte* p) { store_le(static_cast<double>(v), p); }, std::size_t{8});
    default: fail(errc::unsupported, to_string(type), " elements are not read or written as floating-point numbers");
  }
}

}  // namespace detail

/// The numbers that `bytes` of F16, BF16, F32 or F64 elements hold; O(n). NaN and infinity pass. Throws unsupported for
/// another type, bad_shape when the bytes are no whole number of elements, non_finite for a finite double beyond the
/// range of T = float.
template <scalar T>
[[nodiscard]] std::vector<T> decode_values(dtype type, std::span<const std::byte> bytes) {
  std::vector<T> values;
  detail::with_storage(type, [&](auto load, auto, std::size_t size) {
    require(bytes.size() % size == 0, errc::bad_shape, bytes.size(), " bytes of ", to_string(type),
            " elements, which take ", size, " each");
    values.resize(bytes.size() / size);
    for (std::size_t i = 0; i < values.size(); ++i) {
      const auto stored = load(bytes.data() + i * size);
      values[i] = static_cast<T>(stored);
      if (!std::isfinite(values[i]) && std::isfinite(stored)) [[unlikely]]
        fail(errc::non_finite, to_string(type), " element ", i, " is ", stored, ", beyond the range of float");
    }
  });
  return values;
}

/// `values` rounded to nearest even as F16, BF16, F32 or F64 (a double goes to BF16 by way of float); O(n). NaN and
/// infinity pass. Throws unsupported for another type, non_finite for a finite value beyond its range.
template <scalar T>
[[nodiscard]] std::vector<std::byte> encode_values(dtype type, std::span<const T> values) {
  std::vector<std::byte> bytes;
  detail::with_storage(type, [&](auto load, auto store, std::size_t size) {
    bytes.resize(checked_product(values.size(), size, "bytes of a tensor"));
    for (std::size_t i = 0; i < values.size(); ++i) {
      store(values[i], bytes.data() + i * size);
      if (!std::isfinite(load(bytes.data() + i * size)) && std::isfinite(values[i])) [[unlikely]]
        fail(errc::non_finite, "value ", values[i], " at ", i, " is beyond the range of ", to_string(type));
    }
  });
  return bytes;
}

}  // namespace v1
}  // namespace bitpq
