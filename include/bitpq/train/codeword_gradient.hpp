// SPDX-License-Identifier: Apache-2.0
#pragma once

// The gradient of a loss by the codewords of a layer. A weight is a codeword's element times its row's scale, so the
// gradient of a codeword is the sum over all blocks that name it of the gradients of these weights, times the scales
// (the chain rule; Stock et al. 2020, equation 4, take the mean instead). Stages share it: each is one term of the
// weights.

#include <bitpq/codec/pq_matrix.hpp>

#include <type_traits>
#include <vector>

namespace bitpq {
inline namespace v1 {

/// What becomes of the gradients of the blocks that name a codeword. The sum is the true gradient; the mean makes steps
/// independent of how popular a codeword is.
enum class gradient_reduction { sum, mean };

namespace detail {

/// How many blocks take part in each element of each codeword, layout as the codebook's. Padding of the last block does
/// not.
template <scalar T>
[[nodiscard]] std::vector<std::size_t> codeword_uses(const pq_matrix<T>& w) {
  const code_format& f = w.format();
  std::vector<std::size_t> uses(w.book().values().size());
  for (std::size_t r = 0; r < f.rows; ++r)
    for (std::size_t stage = 0; stage < f.stages; ++stage)
      for (std::size_t j = 0; j < f.blocks(); ++j) {
        const std::size_t word = f.book_of(stage, j) * f.codewords + w.code(r, j, stage);
        for (std::size_t i = 0; i < f.width_of(j); ++i) ++uses[word * f.block_size + i];
      }
  return uses;
}

/// Sums in double precision to what was asked for; elements that nothing names are 0.
template <scalar T>
[[nodiscard]] std::vector<T> reduced(const pq_matrix<T>& w, const std::vector<double>& sums,
                                     gradient_reduction reduction) {
  std::vector<T> gradient(sums.begin(), sums.end());
  if (reduction == gradient_reduction::sum) return gradient;
  const std::vector<std::size_t> uses = codeword_uses(w);
  for (std::size_t i = 0; i < gradient.size(); ++i)
    if (uses[i] > 0) gradient[i] = static_cast<T>(sums[i] / static_cast<double>(uses[i]));
  return gradient;
}

}  // namespace detail

/// The gradient by the codewords, in the layout of w.book().values(), from the gradient by the weights (rows() x
/// cols(), any strides). Sums are in double precision, row by row. Throws bad_shape when the shapes differ. NaN and
/// infinity pass through to the codewords concerned. O(rows cols stages).
template <scalar T>
[[nodiscard]] std::vector<T> codeword_gradient(const pq_matrix<T>& w,
                                               std::type_identity_t<matrix_view<const T>> weight_gradient,
                                               gradient_reduction reduction = gradient_reduction::sum) {
  const code_format& f = w.format();
  require(weight_gradient.rows() == f.rows && weight_gradient.cols() == f.cols, errc::bad_shape, "gradient of ",
          weight_gradient.rows(), " x ", weight_gradient.cols(), " for weights of ", f.rows, " x ", f.cols);
  std::vector<double> sums(w.book().values().size());
  for (std::size_t r = 0; r < f.rows; ++r) {
    const auto scale = static_cast<double>(w.scales()[r]);
    for (std::size_t stage = 0; stage < f.stages; ++stage)
      for (std::size_t j = 0; j < f.blocks(); ++j) {
        double* const sum = sums.data() + (f.book_of(stage, j) * f.codewords + w.code(r, j, stage)) * f.block_size;
        for (std::size_t i = 0; i < f.width_of(j); ++i)
          sum[i] += scale * static_cast<double>(weight_gradient(r, j * f.block_size + i));
      }
  }
  return detail::reduced(w, sums, reduction);
}

}  // namespace v1
}  // namespace bitpq
