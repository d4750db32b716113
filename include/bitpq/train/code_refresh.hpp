// SPDX-License-Identifier: Apache-2.0
#pragma once

// Moves codes while codewords are tuned. A gradient step is far smaller than the distance between codewords, so
// rounding all weights after it would undo it, and moving all codes at once overshoots. PV-tuning (Malinovskii et al.
// 2024) moves few codes, the ones that gain most, within a trust region.

#include <bitpq/cluster/assignment.hpp>
#include <bitpq/train/with_codewords.hpp>

#include <optional>

namespace bitpq {
inline namespace v1 {

struct refresh_params {
  double share = 0.01;        ///< of all codes, the most that may move
  double trust_ratio = 0.01;  ///< |change of the weights| / |weights|, at most

  /// Throws bad_params.
  void validate() const {
    require(share >= 0 && share <= 1, errc::bad_params, "share ", share, " of codes is outside 0 .. 1");
    require(trust_ratio >= 0 && std::isfinite(trust_ratio), errc::bad_params, "trust ratio ", trust_ratio,
            " is not a finite number >= 0");
  }
};

template <scalar T>
struct refreshed_codes {
  pq_matrix<T> weights;
  std::size_t moved = 0;   ///< codes that did
  std::size_t wanted = 0;  ///< blocks that another code would serve better
  double change = 0;       ///< |change of the weights| / |weights|
};

namespace detail {

/// One code that would be better: how much closer its block would come to the target, and how far it would move.
struct code_move {
  std::size_t index = 0;  ///< among all codes
  std::uint16_t code = 0;
  double gain = 0, distance2 = 0;
};

template <scalar T>
class code_refresh {
 public:
  code_refresh(const pq_matrix<T>& w, const matrix_view<const T>& target)
      : w_(w), f_(w.format()), target_(target), weights_(f_.rows * f_.cols) {
    w.decode({weights_.data(), f_.rows, f_.cols});
    for (std::size_t stage = 0; stage < f_.stages; ++stage)
      for (std::size_t j = 0; j < f_.blocks(); ++j)
        if (std::optional<codeword_columns<T>>& words = columns(stage, j); !words) words = cut_codewords(stage, j);
  }

  /// The best move of each block that has one, in the order of rows and blocks.
  [[nodiscard]] std::vector<code_move> moves(executor_ref exec) const {
    constexpr std::size_t run = 64;
    std::vector<std::vector<code_move>> found(ceil_div(f_.rows, run));
    exec.bulk(found.size(), [&](std::size_t, std::size_t task) {
      found[task] = moves_of_rows(task * run, (std::min)(run, f_.rows - task * run));
    });
    std::vector<code_move> all;
    for (const std::vector<code_move>& some : found) all.insert(all.end(), some.begin(), some.end());
    return all;
  }

  [[nodiscard]] double energy() const noexcept {
    double sum = 0;
    for (const T value : weights_) sum += static_cast<double>(value) * static_cast<double>(value);
    return sum;
  }

 private:
  /// Codewords of one width: those of a codebook, and those cut to a tail.
  [[nodiscard]] std::optional<codeword_columns<T>>& columns(std::size_t stage, std::size_t j) {
    const bool tail = f_.width_of(j) < f_.block_size;
    return columns_[tail ? f_.books() + stage : f_.book_of(stage, j)];
  }
  [[nodiscard]] const codeword_columns<T>& columns(std::size_t stage, std::size_t j) const {
    return *const_cast<code_refresh*>(this)->columns(stage, j);
  }
  [[nodiscard]] const T* word(std::size_t stage, std::size_t j, std::size_t k) const {
    return &w_.book()[f_.book_of(stage, j)](k, 0);
  }
  [[nodiscard]] codeword_columns<T> cut_codewords(std::size_t stage, std::size_t j) const {
    std::vector<T> words;
    for (std::size_t k = 0; k < f_.codewords; ++k)
      words.insert(words.end(), word(stage, j, k), word(stage, j, k) + f_.width_of(j));
    return {words, f_.width_of(j), bitpq::kernels<T>()};
  }

  [[nodiscard]] std::vector<code_move> moves_of_rows(std::size_t first, std::size_t n) const {
    std::vector<code_move> moves;
    std::vector<code_move> best(n * f_.blocks());
    for (std::size_t stage = 0; stage < f_.stages; ++stage)
      for (std::size_t j = 0; j < f_.blocks(); ++j) improve(stage, j, first, n, best);
    for (const code_move& move : best)
      if (move.gain > 0) moves.push_back(move);
    return moves;
  }

  /// Replaces the best moves of block j of some rows by those of one stage, where they gain more.
  void improve(std::size_t stage, std::size_t j, std::size_t first, std::size_t n, std::vector<code_move>& best) const {
    const std::size_t width = f_.width_of(j), column = j * f_.block_size;
    aligned_buffer<T> wanted(n * width);  // of this stage's codeword, the others being what they are
    for (std::size_t r = 0; r < n; ++r) {
      const T scale = w_.scales()[first + r];
      const T* const now = word(stage, j, w_.code(first + r, j, stage));
      for (std::size_t i = 0; i < width; ++i) {
        const T missing = target_(first + r, column + i) - weights_[(first + r) * f_.cols + column + i];
        wanted[r * width + i] = now[i] + (scale == 0 ? T{0} : missing / scale);
      }
    }
    std::vector<std::uint16_t> codes(n);
    columns(stage, j).nearest(std::as_const(wanted).span(), codes, {});
    for (std::size_t r = 0; r < n; ++r) {
      const std::uint16_t before = w_.code(first + r, j, stage);
      const auto scale = static_cast<double>(w_.scales()[first + r]);
      const T *const now = word(stage, j, before), *const then = word(stage, j, codes[r]);
      const T* const at = wanted.data() + r * width;
      const double gain = scale * scale * (squared_distance(at, now, width) - squared_distance(at, then, width));
      if (gain > best[r * f_.blocks() + j].gain)
        best[r * f_.blocks() + j] = {(first + r) * f_.row_codes() + f_.position(stage, j), codes[r], gain,
                                     scale * scale * squared_distance(now, then, width)};
    }
  }

  const pq_matrix<T>& w_;
  code_format f_;
  matrix_view<const T> target_;
  std::vector<T> weights_;
  std::vector<std::optional<codeword_columns<T>>> columns_ =
      std::vector<std::optional<codeword_columns<T>>>(f_.books() + f_.stages);
};

}  // namespace detail

/// Codes of `w` that move towards `target`, rows x cols, any strides: for PV-tuning the decoded weights less the rate
/// times their gradient. Of the blocks that another code of one stage would bring closer to the target, those that gain
/// most move, as many as share and trust ratio allow; one that would leave the trust region is passed over. Codewords
/// stay. Same result for any executor. Throws bad_shape, bad_params or non_finite. O(rows cols K stages / block size +
/// codes), memory: the decoded weights and a few numbers per block.
template <scalar T>
[[nodiscard]] refreshed_codes<T> refresh_codes(const pq_matrix<T>& w, std::type_identity_t<matrix_view<const T>> target,
                                               const refresh_params& params = {}, executor_ref exec = {}) {
  params.validate();
  require(target.rows() == w.rows() && target.cols() == w.cols(), errc::bad_shape, "target of ", target.rows(), " x ",
          target.cols(), " for weights of ", w.rows(), " x ", w.cols());
  require_finite(target, "target");
  const detail::code_refresh<T> refresh(w, target);
  std::vector<detail::code_move> moves = refresh.moves(exec);
  std::stable_sort(moves.begin(), moves.end(), [](const auto& a, const auto& b) { return a.gain > b.gain; });
  const auto most = static_cast<std::size_t>(params.share * static_cast<double>(w.format().codes()));
  const double energy = refresh.energy(), room = params.trust_ratio * params.trust_ratio * energy;
  std::vector<std::uint16_t> codes = w.codes().unpack();
  refreshed_codes<T> result{{}, 0, moves.size(), 0};
  double change = 0;
  for (const detail::code_move& move : moves) {
    if (result.moved == most) break;
    if (change + move.distance2 > room) continue;
    change += move.distance2;
    codes[move.index] = move.code;
    ++result.moved;
  }
  result.weights = with_codes(w, std::span<const std::uint16_t>(codes));
  result.change = energy > 0 ? std::sqrt(change / energy) : 0;
  return result;
}

}  // namespace v1
}  // namespace bitpq
