// SPDX-License-Identifier: Apache-2.0
#pragma once

// What linear and conv2d have in common: the three states of a layer, and how it gets from one to the next.

#include <bitpq/interop/torch/coded_product.hpp>
#include <bitpq/interop/torch/observation.hpp>
#include <bitpq/quantize/compress.hpp>
#include <bitpq/train/with_codewords.hpp>

#include <functional>
#include <memory>
#include <mutex>

namespace bitpq {
inline namespace v1 {
namespace torch {

enum class layer_state {
  dense,       ///< as torch::nn's layer is; the parameter is `weight`
  observing,   ///< the same, and statistics of the inputs are collected
  compressed,  ///< runs on codes; the parameter is `codebook`
};

constexpr const char* to_string(layer_state state) noexcept {
  switch (state) {
    case layer_state::dense: return "dense";
    case layer_state::observing: return "observing";
    case layer_state::compressed: return "compressed";
  }
  return "unknown";
}

/// Called with what a layer reads, n x features or n x channels x h x w, in every state, before it computes.
using input_tap = std::function<void(const at::Tensor&)>;

/// The face of a layer of this library among LibTorch's modules. A state is changed by one thread, between steps;
/// forward passes of an unchanging layer may run on several.
class compressible {
 public:
  compressible() = default;
  /// Of a copy, LibTorch's clone(): the same state and codes, its own parameters, nothing observed.
  compressible(const compressible& other)
      : codebook(other.codebook),
        geometry_(other.geometry_),
        state_(other.compressed() ? layer_state::compressed : layer_state::dense),
        arithmetic_(other.arithmetic_),
        codes_(other.codes_) {}
  compressible& operator=(const compressible& other) {
    if (this == &other) return *this;
    stop_observing();
    codebook = other.codebook;
    geometry_ = other.geometry_;
    state_ = other.compressed() ? layer_state::compressed : layer_state::dense;
    arithmetic_ = other.arithmetic_;
    codes_ = other.codes_;
    current_.reset();
    return *this;
  }
  virtual ~compressible() = default;

  [[nodiscard]] layer_state state() const noexcept { return state_; }
  [[nodiscard]] bool compressed() const noexcept { return state_ == layer_state::compressed; }
  [[nodiscard]] const layer_geometry& geometry() const noexcept { return geometry_; }

  /// dense -> observing; collects anew where it observes already. Of each forward pass at most `columns_per_call`
  /// columns are taken, see gram_accumulator. With a teacher, the same layer of the original network through which each
  /// batch goes first, also what the teacher's outputs look like from here (teacher_target). Throws bad_params for a
  /// compressed layer.
  void observe(std::size_t columns_per_call = all_columns, std::shared_ptr<compressible> teacher = nullptr) {
    require(!compressed(), errc::bad_params, "a compressed layer cannot be observed");
    require(teacher == nullptr || (teacher.get() != this && teacher->geometry() == geometry_ && !teacher->compressed()),
            errc::bad_params, "the teacher of a layer is a dense layer of the same geometry in another network");
    observed_.emplace(geometry_, columns_per_call, teacher != nullptr);
    if (teacher != nullptr) teacher->remembers_ = true;
    teacher_ = std::move(teacher);
    state_ = layer_state::observing;
  }

  /// Second moments of the inputs seen so far. Throws bad_params when nothing was.
  [[nodiscard]] importance moments() const {
    require(observed_.has_value(), errc::bad_params, "a layer that is ", to_string(state_), " has no moments");
    return observed_->moments();
  }

  /// dense or observing -> compressed: compresses the weights, or what makes the teacher's outputs, by what was
  /// observed. Throws as compress and teacher_target do, the layer as it was.
  layer_report compress(const pq_params& params, double target_damping = 0.03) {
    require(!compressed(), errc::bad_params, "the layer is compressed already");
    const at::Tensor weight = dense_weight();
    const matrix_view<const float> w = detail::weight_matrix(weight);
    if (!observed_) return take(bitpq::compress<float>(geometry_, w, nullptr, params, at_executor{}));
    const importance h = observed_->moments();
    if (!observed_->with_teacher()) return take(bitpq::compress<float>(geometry_, w, &h, params, at_executor{}));
    const at::Tensor wanted = teacher_->dense_weight();
    const aligned_buffer<double> outputs = observation(*observed_).targets();
    const aligned_buffer<float> target =
        teacher_target<float>(detail::weight_matrix(wanted), outputs.span(), h, target_damping, at_executor{});
    return take(bitpq::compress<float>(geometry_, {target.data(), w.rows(), w.cols()}, &h, params, at_executor{}));
  }

  /// Whatever the state was, the layer now has these weights and is compressed. The codebook's parameter keeps its
  /// identity where it had one. Throws bad_shape when they are not of its geometry, nothing changed.
  void set_codes(pq_matrix<float> codes) {
    const coded_weights checked(geometry_, codes);
    at::Tensor values = detail::codebook_tensor(codes.book(), codes.book().values());
    stop_observing();
    codes_ = std::make_shared<const pq_matrix<float>>(std::move(codes));
    {
      const std::lock_guard lock(*current_mutex_);
      current_.reset();
    }
    at::NoGradGuard no_grad;
    if (compressed()) {
      codebook.set_data(values);
    } else {
      state_ = layer_state::compressed;
      use_codebook(values);
    }
  }

  /// Whatever the state was, the layer now is dense with these weights.
  void set_weight(const at::Tensor& weight) {
    detail::require_floats(weight, "weight");
    require(weight.sizes() == weight_sizes(), errc::bad_shape, "weights of ", weight.numel(),
            " elements for a layer of ", geometry_.rows(), " x ", geometry_.cols());
    stop_observing();
    at::NoGradGuard no_grad;
    if (compressed()) {
      state_ = layer_state::dense;
      codes_.reset();
      current_.reset();
      use_weight(weight.detach().clone(at::MemoryFormat::Contiguous));
    } else {
      state_ = layer_state::dense;
      dense_parameter().copy_(weight);
    }
  }

  /// The weights as a file would hold them: codewords as they are now, rounded to their storage. Throws bad_params for
  /// a layer that is not compressed, non_finite for codewords that are not finite. O(codes).
  [[nodiscard]] pq_matrix<float> codes() const { return current()->codes(); }

  /// What the layer computes with, contiguous: `weight`, or the codes decoded. O(rows cols) where compressed.
  [[nodiscard]] at::Tensor dense_weight() const {
    return compressed() ? current()->decoded() : dense_parameter().detach().contiguous();
  }

  /// Which arithmetic steps of training use. Evaluation runs on codes always.
  void set_arithmetic(arithmetic forced) noexcept { arithmetic_ = forced; }

  /// What an optimiser tunes: `weight`, or `codebook` where compressed.
  [[nodiscard]] const at::Tensor& parameter() const noexcept { return compressed() ? codebook : dense_parameter(); }

  /// Computes with these weights from now on, whatever the state; undefined: no more. No gradient reaches them unless
  /// they ask for one.
  void set_stand_in(at::Tensor weight) { stand_in_ = std::move(weight); }

  /// Looks at all inputs from now on; empty: no more.
  void set_tap(input_tap tap) { tap_ = std::move(tap); }

  /// books x codewords x block size, defined where compressed: what an optimiser tunes.
  at::Tensor codebook;

 protected:
  void set_geometry(const layer_geometry& geometry) { geometry_ = geometry.validated(); }

  /// W x + bias in any state. `dense` computes it with the dense parameter, in LibTorch's own way.
  template <class Dense>
  [[nodiscard]] at::Tensor product(const at::Tensor& x, const at::Tensor& bias, bool training, const Dense& dense) {
    if (!plain()) look_at(x);
    if (stand_in_.defined()) return detail::forward_dense(geometry_, stand_in_, x, bias);
    if (!compressed()) return dense();
    detail::require_floats(x, "input");
    const coded_weights_ptr w = current();
    const bool learns = at::GradMode::is_enabled() &&
                        (x.requires_grad() || codebook.requires_grad() || (bias.defined() && bias.requires_grad()));
    if (!learns && !training) return detail::forward_on_codes(*w, x, bias);
    training_plan plan = detail::plan_for(*w, x, arithmetic_);
    plan.forward_on_codes = plan.forward_on_codes || !training;
    if (!learns && plan.forward_on_codes) return detail::forward_on_codes(*w, x, bias);
    return detail::coded_product::apply(x, codebook, bias.defined() ? c10::optional<at::Tensor>(bias) : c10::nullopt, w,
                                        plan);
  }

  /// The module's part: `weight` becomes `codebook` among its parameters, or the other way round.
  virtual void use_codebook(const at::Tensor& values) = 0;
  virtual void use_weight(const at::Tensor& values) = 0;
  [[nodiscard]] virtual const at::Tensor& dense_parameter() const noexcept = 0;
  /// For Cloneable::reset: a codebook of the codes' shape.
  [[nodiscard]] at::Tensor fresh_codebook() const {
    return detail::codebook_tensor(codes_->book(), codes_->book().values());
  }

 private:
  [[nodiscard]] bool plain() const noexcept { return !tap_ && !remembers_ && !observed_; }

  [[nodiscard]] std::vector<std::int64_t> weight_sizes() const {
    const auto size = [](std::size_t n) { return static_cast<std::int64_t>(n); };
    if (detail::is_linear(geometry_)) return {size(geometry_.rows()), size(geometry_.cols())};
    return {size(geometry_.rows()), size(geometry_.in_per_group()), size(geometry_.kernel.h), size(geometry_.kernel.w)};
  }

  layer_report take(compression<float> done) {
    set_codes(std::move(done.weights));
    return std::move(done.report);
  }

  void stop_observing() {
    observed_.reset();
    if (teacher_ != nullptr) {
      teacher_->remembers_ = false;
      teacher_->last_input_ = at::Tensor();
      teacher_ = nullptr;
    }
  }

  void look_at(const at::Tensor& x) {
    detail::require_floats(x, "input");
    const at::Tensor seen = x.detach();
    if (tap_) tap_(seen);
    if (remembers_) last_input_ = seen;
    if (!observed_) return;
    if (teacher_ == nullptr) {
      observed_->add(seen);
      return;
    }
    const at::Tensor theirs = std::exchange(teacher_->last_input_, at::Tensor());
    require(theirs.defined() && theirs.sizes() == seen.sizes(), errc::bad_shape,
            "a batch goes through the teacher first, then through the student");
    const at::Tensor weight = teacher_->dense_weight();
    observed_->add(seen, theirs, weight);
  }

  /// The version of the weights that the codebook now stands for. Compared by value: LibTorch's optimisers write by
  /// data(), which no version counter sees.
  [[nodiscard]] coded_weights_ptr current() const {
    require(compressed(), errc::bad_params, "a layer that is ", to_string(state_), " has no codes");
    const at::Tensor values = codebook.detach().contiguous();
    detail::require_floats(values, "codebook");
    const std::span<const float> now = detail::values_of(values);
    const std::lock_guard lock(*current_mutex_);
    if (current_.defined() && std::equal(now.begin(), now.end(), masters_.begin(), masters_.end())) return current_;
    current_ = c10::make_intrusive<coded_weights>(geometry_, with_codewords(*codes_, now));
    masters_.assign(now.begin(), now.end());
    return current_;
  }

  layer_geometry geometry_{};
  layer_state state_ = layer_state::dense;
  arithmetic arithmetic_ = arithmetic::automatic;
  std::shared_ptr<const pq_matrix<float>> codes_;  ///< with the codewords it was given first
  std::optional<observation> observed_;
  std::shared_ptr<compressible> teacher_;
  bool remembers_ = false;  ///< what it read last, for a student that observes
  at::Tensor last_input_;
  at::Tensor stand_in_;
  input_tap tap_;
  std::unique_ptr<std::mutex> current_mutex_ = std::make_unique<std::mutex>();
  mutable coded_weights_ptr current_;
  mutable std::vector<float> masters_;  ///< that it was made of
};

}  // namespace torch
}  // namespace v1
}  // namespace bitpq
