// SPDX-License-Identifier: Apache-2.0
#pragma once

// Data for benchmarks: dense Gaussian values without zeros, codes uniform over all codewords.

#include <bitpq/codec/pq_matrix.hpp>
#include <bitpq/core/random.hpp>

#include <vector>

namespace bench {

inline std::vector<float> gaussian(std::size_t n, std::uint64_t stream) {
  const bitpq::random_stream random(1, stream);
  std::vector<float> values(n);
  for (std::size_t i = 0; i < n; ++i) values[i] = static_cast<float>(random.normal(i));
  return values;
}

inline bitpq::pq_matrix<float> random_codes(const bitpq::code_format& format) {
  const bitpq::random_stream random(1, 2);
  std::vector<std::uint16_t> codes(format.codes());
  for (std::size_t i = 0; i < codes.size(); ++i)
    codes[i] = static_cast<std::uint16_t>(random.below(i, format.codewords));
  const std::vector<float> words = gaussian(format.books() * format.codewords * format.block_size, 3);
  return {format.rows, format.cols, bitpq::codebook<float>(words, format.books(), format.codewords, format.block_size),
          bitpq::packed_codes(format.code_bits(), codes), format.stages};
}

inline std::vector<float> decoded(const bitpq::pq_matrix<float>& w) {
  std::vector<float> weights(w.rows() * w.cols());
  w.decode({weights.data(), w.rows(), w.cols()});
  return weights;
}

}  // namespace bench
