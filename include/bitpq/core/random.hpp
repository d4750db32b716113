// SPDX-License-Identifier: Apache-2.0
#pragma once

// Counter-based randomness: the i-th number of a stream is a pure function of (seed, stream, i). Threads may draw in
// any order and a restarted computation draws the same numbers, which is what "same seed, same bits" rests on.

#include <bitpq/core/concepts.hpp>

#include <numbers>

namespace bitpq {
inline namespace v1 {

/// One stream of Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
class random_stream {
 public:
  /// Streams of one seed with different numbers are independent.
  explicit constexpr random_stream(std::uint64_t seed, std::uint64_t stream = 0) noexcept
      : seed_(seed), stream_(stream) {}

  /// 64 random bits: the i-th draw.
  [[nodiscard]] constexpr std::uint64_t bits(std::uint64_t i) const noexcept {
    std::uint32_t c[4] = {low(i), high(i), low(stream_), high(stream_)};
    std::uint32_t k[2] = {low(seed_), high(seed_)};
    for (int round = 0; round < 10; ++round) {
      const std::uint64_t p0 = std::uint64_t{0xD2511F53U} * c[0];
      const std::uint64_t p1 = std::uint64_t{0xCD9E8D57U} * c[2];
      const std::uint32_t next[4] = {high(p1) ^ c[1] ^ k[0], low(p1), high(p0) ^ c[3] ^ k[1], low(p0)};
      for (int j = 0; j < 4; ++j) c[j] = next[j];
      k[0] += 0x9E3779B9U;
      k[1] += 0xBB67AE85U;
    }
    return (std::uint64_t{c[1]} << 32) | c[0];
  }

  /// Uniform in [0, 1) with 53 bits.
  [[nodiscard]] constexpr double uniform(std::uint64_t i) const noexcept {
    return static_cast<double>(bits(i) >> 11) * 0x1.0p-53;
  }

  /// Uniform in 0 .. n-1, n >= 1. The bias is below n / 2^53.
  [[nodiscard]] constexpr std::size_t below(std::uint64_t i, std::size_t n) const noexcept {
    const auto k = static_cast<std::size_t>(uniform(i) * static_cast<double>(n));
    return k < n ? k : n - 1;
  }

  /// Standard normal (Box and Muller 1958); uses draws 2i and 2i + 1.
  [[nodiscard]] double normal(std::uint64_t i) const noexcept {
    const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform(2 * i)));
    return radius * std::cos(2.0 * std::numbers::pi * uniform(2 * i + 1));
  }

 private:
  static constexpr std::uint32_t low(std::uint64_t x) noexcept { return static_cast<std::uint32_t>(x); }
  static constexpr std::uint32_t high(std::uint64_t x) noexcept { return static_cast<std::uint32_t>(x >> 32); }

  std::uint64_t seed_;
  std::uint64_t stream_;
};

}  // namespace v1
}  // namespace bitpq
