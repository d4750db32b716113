// SPDX-License-Identifier: Apache-2.0
#pragma once

// Reproducible test data. Whole numbers are for kernels: sums of their products are exact in any order and with or
// without fused multiply-add, so every instruction set must return the very same bits.

#include <bitpq/core/random.hpp>

#include <vector>

namespace bitpq_test {

/// n numbers, uniform in [-1, 1).
template <bitpq::scalar T>
std::vector<T> random_values(std::size_t n, std::uint64_t seed) {
  const bitpq::random_stream stream(seed);
  std::vector<T> values(n);
  for (std::size_t i = 0; i < n; ++i) values[i] = static_cast<T>(2 * stream.uniform(i) - 1);
  return values;
}

/// n whole numbers in -range .. range.
template <bitpq::scalar T>
std::vector<T> random_integers(std::size_t n, std::uint64_t seed, int range = 8) {
  const bitpq::random_stream stream(seed);
  std::vector<T> values(n);
  for (std::size_t i = 0; i < n; ++i)
    values[i] = static_cast<T>(static_cast<int>(stream.below(i, 2 * static_cast<std::size_t>(range) + 1)) - range);
  return values;
}

/// n codes below `codewords`.
template <class Code = std::uint16_t>
std::vector<Code> random_codes(std::size_t n, std::size_t codewords, std::uint64_t seed) {
  const bitpq::random_stream stream(seed, 1);
  std::vector<Code> codes(n);
  for (std::size_t i = 0; i < n; ++i) codes[i] = static_cast<Code>(stream.below(i, codewords));
  return codes;
}

}  // namespace bitpq_test
