// SPDX-License-Identifier: Apache-2.0
#pragma once

// Codes of 1 to 16 bits packed without gaps, least significant bit first: code i occupies the bits
// [i * bits, (i + 1) * bits) of the byte string, bit b being bit b % 8 of byte b / 8.

#include <bitpq/core/concepts.hpp>

#include <span>
#include <utility>
#include <vector>

namespace bitpq {
inline namespace v1 {

/// An immutable sequence of `size()` codes of `bits()` bits each.
class packed_codes {
 public:
  packed_codes() = default;

  /// Packs codes; O(n). Throws bad_params for bits outside 1 .. 16 or a code that does not fit.
  packed_codes(int bits, std::span<const std::uint16_t> codes) : packed_codes(bits, codes.size()) {
    std::uint32_t window = 0;  // bits that wait for a full byte
    int waiting = 0;
    std::size_t byte = 0;
    for (std::size_t i = 0; i < codes.size(); ++i) {
      require((static_cast<unsigned>(codes[i]) >> bits) == 0, errc::bad_params, "code ", codes[i], " at ", i,
              " does not fit into ", bits, " bits");
      window |= static_cast<std::uint32_t>(codes[i]) << waiting;
      for (waiting += bits; waiting >= 8; waiting -= 8, window >>= 8)
        bytes_[byte++] = static_cast<std::uint8_t>(window);
    }
    if (waiting > 0) bytes_[byte] = static_cast<std::uint8_t>(window);
  }

  /// Takes packed bytes, for instance from a file. Throws bad_shape unless their number fits, bad_params for bits
  /// outside 1 .. 16, corrupt_file when the unused bits of the last byte are not zero.
  packed_codes(int bits, std::size_t size, std::vector<std::uint8_t> bytes)
      : bytes_(std::move(bytes)), size_(size), bits_(bits) {
    check_bits(bits);
    require(bytes_.size() == bytes_for(bits, size), errc::bad_shape, size, " codes of ", bits, " bits need ",
            bytes_for(bits, size), " bytes, got ", bytes_.size());
    const std::size_t used = size * static_cast<std::size_t>(bits) % 8;
    require(used == 0 || (bytes_.back() >> used) == 0, errc::corrupt_file, "the last byte of ", size, " codes of ",
            bits, " bits has bits set beyond the last code");
  }

  /// Bytes that `size` codes of `bits` bits take.
  [[nodiscard]] static std::size_t bytes_for(int bits, std::size_t size) {
    return ceil_div(checked_product(size, static_cast<std::size_t>(bits), "bits of codes"), 8);
  }

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] int bits() const noexcept { return bits_; }
  [[nodiscard]] std::span<const std::uint8_t> bytes() const noexcept { return bytes_; }

  /// Code i, for i < size(); O(1).
  [[nodiscard]] std::uint16_t operator[](std::size_t i) const noexcept {
    const std::size_t bit = i * static_cast<std::size_t>(bits_);
    std::uint32_t window = 0;  // a code of 16 bits touches at most three bytes
    for (std::size_t k = 0; k < 3 && bit / 8 + k < bytes_.size(); ++k)
      window |= static_cast<std::uint32_t>(bytes_[bit / 8 + k]) << (8 * k);
    return static_cast<std::uint16_t>((window >> (bit % 8)) & ((1U << bits_) - 1U));
  }

  /// Unpacks the codes first, first + 1, ... into `out`; O(out.size()). Throws bad_shape when they leave the sequence.
  template <std::unsigned_integral Code>
  void unpack(std::size_t first, std::span<Code> out) const {
    require(first <= size_ && out.size() <= size_ - first, errc::bad_shape, "codes ", first, " .. ", first + out.size(),
            " of a sequence of ", size_);
    require(static_cast<std::size_t>(bits_) <= 8 * sizeof(Code), errc::bad_params, bits_,
            "-bit codes into elements of ", 8 * sizeof(Code), " bits");
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<Code>((*this)[first + i]);
  }

  /// All codes.
  [[nodiscard]] std::vector<std::uint16_t> unpack() const {
    std::vector<std::uint16_t> codes(size_);
    unpack(0, std::span<std::uint16_t>(codes));
    return codes;
  }

  friend bool operator==(const packed_codes&, const packed_codes&) = default;

 private:
  packed_codes(int bits, std::size_t size) : size_(size), bits_(bits) {
    check_bits(bits);
    bytes_.resize(bytes_for(bits, size));
  }

  static void check_bits(int bits) {
    require(bits >= 1 && bits <= 16, errc::bad_params, "codes of ", bits, " bits, outside 1 .. 16");
  }

  std::vector<std::uint8_t> bytes_;
  std::size_t size_ = 0;
  int bits_ = 1;
};

}  // namespace v1
}  // namespace bitpq
