// SPDX-License-Identifier: Apache-2.0
#pragma once

// A host in plain C++: two convolutions and a linear layer with ReLU between them, teacher and student, trained by
// hand. A dense layer is a compressed one whose codewords are its rows, so that one forward and one backward pass serve
// both.

#include "support/random_data.hpp"

#include <bitpq/gemm/conv2d.hpp>
#include <bitpq/train/distillation.hpp>
#include <bitpq/train/fused_gradient.hpp>
#include <bitpq/train/input_gradient.hpp>
#include <bitpq/train/network.hpp>

#include <functional>

namespace bitpq_test {

/// n x c x h x w.
template <bitpq::scalar T>
struct toy_maps {
  std::size_t n = 0, c = 0, h = 1, w = 1;
  std::vector<T> values = std::vector<T>(n * c * h * w);

  [[nodiscard]] bitpq::nchw_view<const T> view() const { return {values.data(), n, c, h, w}; }
  [[nodiscard]] bitpq::nchw_view<T> view() { return {values.data(), n, c, h, w}; }
};

/// Weights as codes that lose nothing: row r is codeword r.
template <bitpq::scalar T>
bitpq::pq_matrix<T> as_codes(const std::vector<T>& weights, std::size_t rows) {
  std::vector<std::uint16_t> codes(rows);
  for (std::size_t r = 0; r < rows; ++r) codes[r] = static_cast<std::uint16_t>(r);
  constexpr auto type = std::same_as<T, float> ? bitpq::codeword_type::f32 : bitpq::codeword_type::f64;
  const std::size_t cols = weights.size() / rows;
  return {rows, cols, bitpq::codebook<T>(weights, 1, rows, cols, type),
          bitpq::packed_codes(bitpq::code_bits_for(rows), codes)};
}

/// All that the driver must have, and biases that are trained by momentum.
template <bitpq::scalar T>
class toy_network {
  static constexpr std::size_t classes = 5;
  std::vector<bitpq::network_layer> layers_{
      {"stem", bitpq::layer_geometry::conv2d(6, 2, {3, 3}, {.padding = {1, 1}})},
      {"body", bitpq::layer_geometry::conv2d(8, 6, {3, 3}, {.stride = {2, 2}, .padding = {1, 1}})},
      {"head", bitpq::layer_geometry::linear(classes, 72)}};

 public:
  using maps = toy_maps<T>;

  explicit toy_network(std::uint64_t seed = 1) {
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      const bitpq::layer_geometry& g = layers_[i].geometry;
      dense_.push_back(random_values<T>(g.rows() * g.cols(), 10 * seed + i));
      teacher_.push_back({as_codes(dense_[i], g.rows()), random_values<T>(g.rows(), 10 * seed + 5 + i)});
      velocity_.push_back(std::vector<T>(g.rows()));
    }
    student_ = teacher_;
  }

  // What a test may meddle with; all are called where they are there.
  std::function<void()> before{};                                                       ///< any member's work
  std::function<void(std::size_t layer, std::size_t batch, maps&)> spoil_inputs{};      ///< that are streamed
  std::function<void(std::uint64_t, double&, std::span<std::vector<T>>)> spoil_step{};  ///< what a step returns
  std::size_t batches = 3;                                                              ///< of calibration data
  std::size_t unreached = 3;                ///< the layer that none of them reaches
  std::size_t teacher_classes = classes;    ///< of which the student has five
  std::vector<bitpq::network_layer> listed  ///< what the driver is told
      = layers_;

  [[nodiscard]] const bitpq::pq_matrix<T>& codes(std::size_t i) const { return student_[i].weights; }
  [[nodiscard]] const std::vector<T>& bias(std::size_t i) const { return student_[i].bias; }

  [[nodiscard]] std::vector<bitpq::network_layer> layers() const { return listed; }

  [[nodiscard]] bitpq::matrix_view<const T> weights(std::size_t i) const {
    return {dense_[i].data(), teacher_[i].weights.rows(), teacher_[i].weights.cols()};
  }

  void stream(std::size_t i, bool teacher, const bitpq::sample_visitor<T>& visitor) {
    if (before) before();
    for (std::size_t b = 0; b < batches && i != unreached; ++b) {
      const maps x = images(b);
      maps seen = forward(student_, x)[i], wanted;
      if (spoil_inputs) spoil_inputs(i, b, seen);
      bitpq::layer_samples<T> samples{std::as_const(seen).view()};
      if (teacher) {
        wanted = forward(teacher_, x)[i];
        samples.teacher_inputs = std::as_const(wanted).view();
      }
      if (!visitor(samples)) return;
    }
  }

  void set_weights(std::size_t i, const bitpq::pq_matrix<T>& codes) {
    if (before) before();
    student_[i].weights = codes;
  }

  double training_step(std::uint64_t step, std::span<const std::size_t> which, std::span<std::vector<T>> gradients) {
    if (before) before();
    const maps x = images(1000 + step);
    seen_ = forward(student_, x);
    const maps wanted = forward(teacher_, x).back();
    gradients_ = {{}, {}, {}, maps{x.n, classes}};
    double loss =
        bitpq::distillation_loss<T>(logits(seen_.back()), logits(wanted).block(0, 0, wanted.n, teacher_classes), 2,
                                    mutable_logits(gradients_.back()));
    if (!which.empty()) backward(which, gradients);
    if (spoil_step) spoil_step(step, loss, gradients);
    return loss;
  }

  void end_step(std::uint64_t, double rate) {
    if (before) before();
    for (std::size_t i = 0; i < layers_.size(); ++i)
      for (std::size_t c = 0; c < student_[i].bias.size(); ++c) {
        T sum = 0;
        const maps& dy = gradients_[i + 1];
        for (std::size_t n = 0; n < dy.n; ++n)
          for (std::size_t p = 0; p < dy.h * dy.w; ++p) sum += dy.values[(n * dy.c + c) * dy.h * dy.w + p];
        velocity_[i][c] = static_cast<T>(0.5) * velocity_[i][c] + sum;
        student_[i].bias[c] -= static_cast<T>(0.1 * rate) * velocity_[i][c];
      }
  }

  [[nodiscard]] bitpq::host_state<T> state() {
    if (before) before();
    bitpq::host_state<T> state;
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      state["bias" + std::to_string(i)] = student_[i].bias;
      state["velocity" + std::to_string(i)] = velocity_[i];
    }
    return state;
  }

  void restore(const bitpq::host_state<T>& state) {
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      student_[i].bias = state.at("bias" + std::to_string(i));
      velocity_[i] = state.at("velocity" + std::to_string(i));
    }
  }

  /// Of the last step.
  [[nodiscard]] bitpq::matrix_view<const T> weight_gradient(std::size_t i) {
    const bitpq::layer_geometry& g = layers_[i].geometry;
    weight_gradient_ = bitpq::codeword_gradient(teacher_[i].weights, g, std::as_const(seen_[i]).view(),
                                                std::as_const(gradients_[i + 1]).view());
    return {weight_gradient_.data(), g.rows(), g.cols()};
  }

 private:
  struct layer {
    bitpq::pq_matrix<T> weights;
    std::vector<T> bias;
  };

  /// What each layer reads, and the logits.
  [[nodiscard]] std::vector<maps> forward(const std::vector<layer>& net, const maps& x) const {
    std::vector<maps> all{x};
    for (std::size_t i = 0; i < net.size(); ++i) {
      const bitpq::layer_geometry& g = layers_[i].geometry;
      maps& in = all.back();
      if (g.type == bitpq::layer_geometry::kind::linear) in = {in.n, in.c * in.h * in.w, 1, 1, std::move(in.values)};
      const bitpq::extent2 out = g.output_size({in.h, in.w});
      maps y{in.n, g.out_channels, out.h, out.w};
      bitpq::conv2d(net[i].weights, g, std::as_const(in).view(), y.view(), {net[i].bias, {}, i + 1 < net.size()});
      all.push_back(std::move(y));
    }
    return all;
  }

  void backward(std::span<const std::size_t> which, std::span<std::vector<T>> gradients) {
    for (std::size_t i = layers_.size(); i-- > 0;) {
      const bitpq::layer_geometry& g = layers_[i].geometry;
      const maps &x = seen_[i], &dy = gradients_[i + 1];
      for (std::size_t k = 0; k < which.size(); ++k)
        if (which[k] == i) gradients[k] = bitpq::codeword_gradient(student_[i].weights, g, x.view(), dy.view());
      if (i == 0) return;
      maps dx{x.n, x.c, x.h, x.w};
      bitpq::input_gradient(student_[i].weights, g, dy.view(), dx.view());
      for (std::size_t e = 0; e < dx.values.size(); ++e)
        if (x.values[e] <= 0) dx.values[e] = 0;
      const bitpq::layer_geometry& from = layers_[i - 1].geometry;
      const bitpq::extent2 out = from.output_size({seen_[i - 1].h, seen_[i - 1].w});
      gradients_[i] = {x.n, from.out_channels, out.h, out.w, std::move(dx.values)};
    }
  }

  [[nodiscard]] static maps images(std::uint64_t seed) { return {4, 2, 6, 6, random_values<T>(4 * 2 * 6 * 6, seed)}; }
  [[nodiscard]] static bitpq::matrix_view<const T> logits(const maps& y) { return {y.values.data(), y.n, y.c}; }
  [[nodiscard]] static bitpq::matrix_view<T> mutable_logits(maps& y) { return {y.values.data(), y.n, y.c}; }

  std::vector<std::vector<T>> dense_, velocity_;
  std::vector<layer> teacher_, student_;
  std::vector<maps> seen_, gradients_;  // of the last step: what layers read, and what is known of what they wrote
  std::vector<T> weight_gradient_;
};

/// No more than a host must have.
class bare_network {
 public:
  [[nodiscard]] std::vector<bitpq::network_layer> layers() const { return toy_.layers(); }
  [[nodiscard]] bitpq::matrix_view<const float> weights(std::size_t i) const { return toy_.weights(i); }
  void stream(std::size_t i, bool teacher, const bitpq::sample_visitor<float>& f) { toy_.stream(i, teacher, f); }
  void set_weights(std::size_t i, const bitpq::pq_matrix<float>& codes) { toy_.set_weights(i, codes); }
  double training_step(std::uint64_t step, std::span<const std::size_t> which,
                       std::span<std::vector<float>> gradients) {
    return toy_.training_step(step, which, gradients);
  }
  [[nodiscard]] const toy_network<float>& toy() const { return toy_; }

 private:
  toy_network<float> toy_;
};

static_assert(bitpq::trainable_network<bare_network> && !bitpq::stateful_network<bare_network> &&
              !bitpq::refreshable_network<bare_network>);
static_assert(bitpq::stateful_network<toy_network<float>> && bitpq::self_training_network<toy_network<float>> &&
              bitpq::refreshable_network<toy_network<double>>);

}  // namespace bitpq_test
