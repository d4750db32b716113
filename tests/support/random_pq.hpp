// SPDX-License-Identifier: Apache-2.0
#pragma once

// Compressed matrices of any format, without compressing anything, and what they stand for.

#include "support/random_data.hpp"

#include <bitpq/codec/pq_matrix.hpp>

namespace bitpq_test {

/// A matrix of that format with random codewords and codes.
template <bitpq::scalar T>
bitpq::pq_matrix<T> random_pq(const bitpq::code_format& format, std::uint64_t seed,
                              bitpq::codeword_type type = bitpq::codeword_type::f32) {
  const std::size_t elements = format.codebooks * format.codewords * format.block_size;
  return bitpq::pq_matrix<T>(
      format.rows, format.cols,
      bitpq::codebook<T>(random_values<T>(elements, seed), format.codebooks, format.codewords, format.block_size, type),
      bitpq::packed_codes(format.code_bits(), random_codes(format.codes(), format.codewords, seed)));
}

/// The weights, row-major, straight from the definition.
template <bitpq::scalar T>
std::vector<T> decoded(const bitpq::pq_matrix<T>& w) {
  const bitpq::code_format& format = w.format();
  const std::vector<std::uint16_t> codes = w.codes().unpack();
  std::vector<T> weights(w.rows() * w.cols());
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const std::size_t row = i / w.cols(), column = i % w.cols(), block = column / format.block_size;
    const std::size_t word = format.codebook_of(block) * format.codewords + codes[row * format.blocks() + block];
    weights[i] = w.book().values()[word * format.block_size + column % format.block_size];
  }
  return weights;
}

}  // namespace bitpq_test
