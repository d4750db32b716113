// SPDX-License-Identifier: Apache-2.0
#pragma once

// Quant-noise (Fan et al. 2021): while a network is trained, a random part of its blocks is seen as codes would have
// it, so that it learns to do with codes. The gradient passes to the dense weights as it is (straight through).

#include <bitpq/codec/pq_matrix.hpp>
#include <bitpq/core/random.hpp>

namespace bitpq {
inline namespace v1 {

/// Which blocks are replaced at which step: a function of seed, step and block alone.
class quant_noise {
 public:
  /// Each block with probability `share`. Throws bad_params unless 0 <= share <= 1.
  explicit quant_noise(double share, std::uint64_t seed = 0) : share_(share), seed_(seed) {
    require(share >= 0 && share <= 1, errc::bad_params, "share ", share, " of blocks is outside 0 .. 1");
  }

  /// `block` counts row by row.
  [[nodiscard]] bool replaces(std::uint64_t step, std::size_t block) const noexcept {
    return random_stream(seed_, step).uniform(block) < share_;
  }

  /// Replaces blocks of `weights` (w.rows() x w.cols(), any strides) by what w decodes to, and returns how many. Throws
  /// bad_shape, nothing written. O(blocks + replaced weights).
  template <scalar T>
  std::size_t apply(const pq_matrix<T>& w, std::uint64_t step, matrix_view<T> weights) const {
    const code_format& f = w.format();
    require(weights.rows() == f.rows && weights.cols() == f.cols, errc::bad_shape, "weights of ", weights.rows(), " x ",
            weights.cols(), " beside codes of ", f.rows, " x ", f.cols);
    std::size_t replaced = 0;
    for (std::size_t r = 0; r < f.rows; ++r)
      for (std::size_t j = 0; j < f.blocks(); ++j)
        if (replaces(step, r * f.blocks() + j)) {
          replace(w, r, j, weights);
          ++replaced;
        }
    return replaced;
  }

 private:
  template <scalar T>
  static void replace(const pq_matrix<T>& w, std::size_t r, std::size_t j, const matrix_view<T>& weights) {
    const code_format& f = w.format();
    for (std::size_t i = 0; i < f.width_of(j); ++i) {
      T sum = 0;
      for (std::size_t stage = 0; stage < f.stages; ++stage)
        sum += w.book()[f.book_of(stage, j)](w.code(r, j, stage), i);
      weights(r, j * f.block_size + i) = sum * w.scales()[r];
    }
  }

  double share_;
  std::uint64_t seed_;
};

}  // namespace v1
}  // namespace bitpq
