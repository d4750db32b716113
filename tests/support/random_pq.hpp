// SPDX-License-Identifier: Apache-2.0
#pragma once

// Compressed matrices of any format, without compressing anything, and what they stand for.

#include "support/random_data.hpp"

#include <bitpq/codec/pq_matrix.hpp>

namespace bitpq_test {

/// A matrix of that format with random codewords and codes, and where asked for with row scales in f16, one of them 0.
template <bitpq::scalar T>
bitpq::pq_matrix<T> random_pq(const bitpq::code_format& format, std::uint64_t seed,
                              bitpq::codeword_type type = bitpq::codeword_type::f32, bool scaled = false) {
  const std::size_t elements = format.books() * format.codewords * format.block_size;
  std::vector<T> scales = random_values<T>(scaled ? format.rows : 0, seed + 7);
  if (scales.size() > 1) scales[1] = 0;
  return bitpq::pq_matrix<T>(
      format.rows, format.cols,
      bitpq::codebook<T>(random_values<T>(elements, seed), format.books(), format.codewords, format.block_size, type),
      bitpq::packed_codes(format.code_bits(), random_codes(format.codes(), format.codewords, seed)), format.stages,
      bitpq::row_scales<T>(scales));
}

/// What one stage adds to the weights before they are scaled, row-major, straight from the definition.
template <bitpq::scalar T>
std::vector<T> decoded_stage(const bitpq::pq_matrix<T>& w, std::size_t stage) {
  const bitpq::code_format& format = w.format();
  const std::vector<std::uint16_t> codes = w.codes().unpack();
  const std::size_t blocks = bitpq::ceil_div(format.cols, format.block_size);
  const std::size_t blocks_per_book = bitpq::ceil_div(blocks, format.codebooks);
  std::vector<T> weights(w.rows() * w.cols());
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const std::size_t row = i / w.cols(), column = i % w.cols(), block = column / format.block_size;
    const std::size_t code = codes[(row * format.stages + stage) * blocks + block];
    const std::size_t word = (stage * format.codebooks + block / blocks_per_book) * format.codewords + code;
    weights[i] = w.book().values()[word * format.block_size + column % format.block_size];
  }
  return weights;
}

/// The weights, row-major.
template <bitpq::scalar T>
std::vector<T> decoded(const bitpq::pq_matrix<T>& w) {
  std::vector<T> weights = decoded_stage(w, 0);
  for (std::size_t stage = 1; stage < w.format().stages; ++stage) {
    const std::vector<T> more = decoded_stage(w, stage);
    for (std::size_t i = 0; i < weights.size(); ++i) weights[i] += more[i];
  }
  for (std::size_t i = 0; i < weights.size(); ++i) weights[i] *= w.scales()[i / w.cols()];
  return weights;
}

}  // namespace bitpq_test
