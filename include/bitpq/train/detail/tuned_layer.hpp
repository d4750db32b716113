// SPDX-License-Identifier: Apache-2.0
#pragma once

// A compressed layer whose codewords are being tuned. Steps move unrounded codewords; the layer is always what a file
// would hold of them, so the gradient passes through the rounding as if it were not there (straight through).

#include <bitpq/train/network_params.hpp>
#include <bitpq/train/with_codewords.hpp>

namespace bitpq {
inline namespace v1 {
namespace detail {

template <scalar T>
class tuned_layer {
 public:
  explicit tuned_layer(pq_matrix<T> weights)
      : weights_(std::move(weights)), codewords_(weights_.book().values().begin(), weights_.book().values().end()) {}

  /// As they were saved. Throws bad_shape or non_finite when they do not fit together.
  tuned_layer(const pq_matrix<T>& weights, std::vector<T> codewords)
      : weights_(with_codewords(weights, codewords)), codewords_(std::move(codewords)) {}

  /// What the student runs, and what a file holds.
  [[nodiscard]] const pq_matrix<T>& weights() const noexcept { return weights_; }
  [[nodiscard]] const std::vector<T>& codewords() const noexcept { return codewords_; }

  /// The optimiser's, while there is one.
  [[nodiscard]] std::optional<optimizer_state<T>> state() const {
    std::optional<optimizer_state<T>> state;
    with(optimizer_, [&](const auto& optimizer) { state = optimizer.state(); });
    return state;
  }
  [[nodiscard]] bool tuning() const noexcept { return optimizer_.index() != 0; }

  void start(const std::variant<sgd_params, adam_params>& params) {
    if (const auto* of = std::get_if<sgd_params>(&params)) optimizer_.template emplace<sgd<T>>(codewords_.size(), *of);
    if (const auto* of = std::get_if<adam_params>(&params))
      optimizer_.template emplace<adam<T>>(codewords_.size(), *of);
  }
  void stop() noexcept { optimizer_.template emplace<std::monostate>(); }

  /// Throws as the optimiser's restore does, nothing changed.
  void restore(const optimizer_state<T>& state) {
    with(optimizer_, [&](auto& optimizer) { optimizer.restore(state); });
  }

  /// This layer a step later, for all layers are to step or none. Throws bad_shape or non_finite, also for codewords
  /// that leave the range of their storage.
  [[nodiscard]] tuned_layer stepped(std::span<const T> gradient, double rate) const {
    tuned_layer next = *this;
    with(next.optimizer_, [&](auto& optimizer) { optimizer.step(next.codewords_, gradient, rate); });
    next.weights_ = with_codewords(weights_, next.codewords_);
    return next;
  }

  /// Moves codes against the gradient of the weights; returns how many.
  std::size_t refresh(const matrix_view<const T>& gradient, const tuning_params& how, executor_ref exec) {
    const std::size_t rows = weights_.rows(), cols = weights_.cols();
    require(gradient.rows() == rows && gradient.cols() == cols, errc::bad_shape, "gradient of ", gradient.rows(), " x ",
            gradient.cols(), " for weights of ", rows, " x ", cols);
    std::vector<T> target(rows * cols);
    const matrix_view<T> view(target.data(), rows, cols);
    weights_.decode(view);
    for (std::size_t r = 0; r < rows; ++r)
      for (std::size_t c = 0; c < cols; ++c)
        view(r, c) -= static_cast<T>(how.refresh_rate * static_cast<double>(gradient(r, c)));
    refreshed_codes<T> refreshed = refresh_codes(weights_, view, how.refresh, exec);
    weights_ = std::move(refreshed.weights);
    return refreshed.moved;
  }

 private:
  template <class Optimizer, class F>
  static void with(Optimizer& optimizer, F&& f) {
    if (auto* const of = std::get_if<sgd<T>>(&optimizer)) f(*of);
    if (auto* const of = std::get_if<adam<T>>(&optimizer)) f(*of);
  }

  pq_matrix<T> weights_;
  std::vector<T> codewords_;
  std::variant<std::monostate, sgd<T>, adam<T>> optimizer_;
};

}  // namespace detail
}  // namespace v1
}  // namespace bitpq
