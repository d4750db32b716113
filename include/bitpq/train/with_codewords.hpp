// SPDX-License-Identifier: Apache-2.0
#pragma once

// A compressed matrix whose codewords, or codes, have moved. Fine-tuning keeps its codewords unrounded and makes of
// them, after each step, what a file would hold.

#include <bitpq/codec/pq_matrix.hpp>

#include <type_traits>

namespace bitpq {
inline namespace v1 {

/// `w` with other codewords, in the layout of w.book().values(), rounded to its storage. Throws as codebook does.
template <scalar T>
[[nodiscard]] pq_matrix<T> with_codewords(const pq_matrix<T>& w, std::type_identity_t<std::span<const T>> codewords) {
  const code_format& f = w.format();
  return {f.rows,    f.cols,   codebook<T>(codewords, f.books(), f.codewords, f.block_size, w.book().type()),
          w.codes(), f.stages, w.scales()};
}

/// `w` with other codes, in the order of w.codes(). Throws as packed_codes and pq_matrix do.
template <scalar T>
[[nodiscard]] pq_matrix<T> with_codes(const pq_matrix<T>& w, std::span<const std::uint16_t> codes) {
  return {w.rows(), w.cols(), w.book(), packed_codes(w.format().code_bits(), codes), w.format().stages, w.scales()};
}

/// `w` with other row scales, or none. Throws as pq_matrix does.
template <scalar T>
[[nodiscard]] pq_matrix<T> with_row_scales(const pq_matrix<T>& w, row_scales<T> scales) {
  return {w.rows(), w.cols(), w.book(), w.codes(), w.format().stages, std::move(scales)};
}

}  // namespace v1
}  // namespace bitpq
