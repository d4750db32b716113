// SPDX-License-Identifier: Apache-2.0
#pragma once

// A LibTorch network as compress_network sees it. There is one network in memory: it is the student, and the teacher
// while the weights that it began with stand in.

#include <bitpq/interop/torch/evaluation_mode.hpp>
#include <bitpq/interop/torch/host_values.hpp>
#include <bitpq/train/distillation.hpp>

#include <torch/autograd.h>

#include <numeric>

namespace bitpq {
inline namespace v1 {
namespace torch {

/// How a network imitates its teacher.
struct torch_network_params {
  double temperature = 1;  ///< of distillation_loss
  /// Whose outputs are imitated; empty: the network's own as it was.
  forward_function teacher{};
  /// Which layers are to be compressed, by module name; empty: all.
  std::function<bool(const std::string&)> select{};
  /// The rate of everything that is no layer's weights (biases, batch norm's factors), relative to the codewords'; 0:
  /// they stay as they are.
  double other_rate = 0;
  /// Batches by which batch norm's statistics are estimated again once a layer is compressed; 0: they stay.
  std::size_t batch_norm_batches = 0;
};

/// Models trainable_network and all that a network may be beside it. Layers are those of the module, in the order in
/// which a pass meets them. The network is in evaluation mode while this object lives, and then in the modes it was in.
class torch_network {
 public:
  /// Runs the data once through the network for the teacher's outputs. Throws, nothing changed: bad_params for no data,
  /// a layer that data does not reach or that is compressed already; bad_shape for outputs that are not samples x
  /// classes or a teacher of other classes; non_finite for a batch that is not finite; unsupported for weights that are
  /// shared or no floats.
  torch_network(std::shared_ptr<::torch::nn::Module> module, forward_function forward, calibration_data data,
                torch_network_params params = {})
      : module_(std::move(module)),
        forward_(std::move(forward)),
        data_(std::move(data)),
        params_(checked(std::move(params))),
        mode_(*module_) {
    require(data_.batches > 0 && data_.batch, errc::bad_params, "no data to calibrate with");
    find_layers();
    for (const module_layer& layer : layers_) {
      require(layer.plain() || !layer.own->compressed(), errc::bad_params, "layer ", layer.name,
              " is compressed already");
      detail::require_floats(layer.parameter(), layer.name.c_str());
      originals_.push_back(layer.parameter().detach().clone(at::MemoryFormat::Contiguous));
    }
    codes_.resize(layers_.size());
    weight_gradients_.resize(layers_.size());
    others_ = host_values(*module_, layers_, params_.other_rate > 0);
    imitate();
  }
  torch_network(const torch_network&) = delete;
  torch_network& operator=(const torch_network&) = delete;
  ~torch_network() = default;

  /// What is to be compressed, in the order of layers().
  [[nodiscard]] const std::vector<module_layer>& module_layers() const noexcept { return layers_; }
  [[nodiscard]] const layer_geometry& geometry(std::size_t i) const { return places_[i].geometry; }
  /// Codes of layer i, or null while it is dense.
  [[nodiscard]] const pq_matrix<float>* codes(std::size_t i) const noexcept {
    return codes_[i].has_value() ? &*codes_[i] : nullptr;
  }

  // ---- what compress_network asks for ----

  [[nodiscard]] std::vector<network_layer> layers() const {
    std::vector<network_layer> all;
    for (std::size_t i = 0; i < layers_.size(); ++i) all.push_back({layers_[i].name, places_[i].geometry});
    return all;
  }

  [[nodiscard]] matrix_view<const float> weights(std::size_t i) const { return detail::weight_matrix(originals_[i]); }

  void stream(std::size_t i, bool teacher, const sample_visitor<float>& visitor) {
    for (std::size_t b = 0; b < data_.batches; ++b) {
      const at::Tensor batch = detail::checked_batch(data_, b);
      layer_inputs theirs;
      if (teacher) {
        const teacher_mode mode(*this);
        theirs = inputs_of(*module_, layers_[i], places_[i], forward_, batch);
      }
      const layer_inputs ours = inputs_of(*module_, layers_[i], places_[i], forward_, batch);
      require(!ours.empty() && (!teacher || theirs.size() == ours.size()), errc::unsupported, "batch ", b,
              " reaches the layer ", ours.size(), " times, in the teacher ", theirs.size());
      for (std::size_t use = 0; use < ours.size(); ++use) {
        layer_samples<float> samples{samples_of(ours[use])};
        if (teacher) samples.teacher_inputs = samples_of(theirs[use]);
        if (!visitor(samples)) return;
      }
    }
  }

  void set_weights(std::size_t i, const pq_matrix<float>& codes) {
    module_layer& layer = layers_[i];
    if (layer.plain()) {
      const at::Tensor decoded = coded_weights(places_[i].geometry, codes).decoded();
      const at::NoGradGuard no_grad;
      layer.weight.copy_(decoded);
    } else {
      layer.own->set_codes(codes);
    }
    codes_[i] = codes;
  }

  [[nodiscard]] double training_step(std::uint64_t step, std::span<const std::size_t> which,
                                     std::span<std::vector<float>> gradients) {
    const auto b = static_cast<std::size_t>(step % data_.batches);
    const at::Tensor batch = detail::some_batch(data_, b);
    if (!detail::all_finite(batch)) blame(b, batch);
    const standing_in weights(*this, weights_too_ ? which : std::span<const std::size_t>());
    std::vector<at::Tensor> wanted = weights_too_ ? weights.tensors() : std::vector<at::Tensor>();
    for (std::size_t k = wanted.size(); k < which.size(); ++k) wanted.push_back(layers_[which[k]].parameter());
    if (!which.empty())
      for (const at::Tensor& t : others_.tuned()) wanted.push_back(t);
    const detail::asking_for_gradients asking(*module_, wanted);
    const at::AutoGradMode record(!wanted.empty());
    const at::Tensor outputs = forward_(batch);
    const at::Tensor logits = outputs.detach().contiguous();
    if (!detail::all_finite(logits)) blame(b, batch);
    at::Tensor gradient = at::empty_like(logits);
    const double loss = distillation_loss<float>(detail::weight_matrix(logits), detail::weight_matrix(logits_[b]),
                                                 params_.temperature, rows_of(gradient));
    if (wanted.empty()) return loss;
    std::vector<at::Tensor> found = ::torch::autograd::grad({outputs}, wanted, {gradient}, c10::nullopt, false, true);
    weight_gradients_.assign(layers_.size(), at::Tensor());
    for (std::size_t k = 0; k < which.size(); ++k) {
      found[k] = found[k].defined() ? found[k].contiguous() : at::zeros_like(wanted[k]);
      gradients[k] = codeword_values(which[k], found[k]);
      if (weights_too_) weight_gradients_[which[k]] = found[k];
    }
    others_.take_gradients(std::span<const at::Tensor>(found).subspan(which.size()));
    others_.check_gradients();
    return loss;
  }

  /// From now on steps learn the gradients of the weights too, which refresh_codes asks for: layers of this library
  /// then compute with decoded weights while they are tuned.
  void keep_weight_gradients() noexcept { weights_too_ = true; }

  /// Of the last training_step. Throws bad_params where it was not one of that layer's, or no such gradients are kept.
  [[nodiscard]] matrix_view<const float> weight_gradient(std::size_t i) const {
    require(weight_gradients_[i].defined(), errc::bad_params, "no gradient of the weights of ", layers_[i].name,
            " was kept");
    return detail::weight_matrix(weight_gradients_[i]);
  }

  /// Moves what is no layer's weights, by Adam.
  void end_step(std::uint64_t /*step*/, double rate) {
    const at::NoGradGuard no_grad;
    others_.step(rate * params_.other_rate);
  }

  /// Estimates batch norm's statistics again, where that was asked for.
  void adapt(std::size_t /*layer*/) { estimate_norms(*module_, forward_, data_, params_.batch_norm_batches); }

  /// Everything that changes beside the layers' weights.
  [[nodiscard]] host_state<float> state() const { return others_.state(); }

  /// Throws bad_params or bad_shape for the state of another network, nothing changed.
  void restore(const host_state<float>& saved) {
    const at::NoGradGuard no_grad;
    others_.restore(saved);
  }

  /// The network as it was given: dense layers, and all values.
  void undo() {
    const at::NoGradGuard no_grad;
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      if (layers_[i].plain())
        layers_[i].weight.copy_(originals_[i]);
      else if (codes_[i].has_value())
        layers_[i].own->set_weight(originals_[i]);
      codes_[i].reset();
    }
    others_.undo();
  }

 private:
  /// The network computes as the teacher while this lives.
  class teacher_mode {
   public:
    explicit teacher_mode(torch_network& network) : network_(network) { exchange(true); }
    teacher_mode(const teacher_mode&) = delete;
    teacher_mode& operator=(const teacher_mode&) = delete;
    ~teacher_mode() { exchange(false); }

   private:
    void exchange(bool teacher) {
      const at::NoGradGuard no_grad;
      for (std::size_t i = 0; i < network_.layers_.size(); ++i) {
        at::Tensor& original = network_.originals_[i];
        if (network_.layers_[i].plain()) {
          const at::Tensor now = network_.layers_[i].weight.variable_data();
          network_.layers_[i].weight.set_data(original);
          original = now;
        } else {
          network_.layers_[i].own->set_stand_in(teacher ? original : at::Tensor());
        }
      }
      network_.others_.exchange();
    }
    torch_network& network_;
  };

  /// Decoded weights, which ask for gradients, stand in for the codes of layers of this library while this lives.
  class standing_in {
   public:
    standing_in(torch_network& network, std::span<const std::size_t> which) {
      for (const std::size_t i : which) {
        const module_layer& layer = network.layers_[i];
        tensors_.push_back(layer.plain() ? layer.weight : layer.own->dense_weight().requires_grad_());
        if (layer.plain()) continue;
        layer.own->set_stand_in(tensors_.back());
        layers_.push_back(layer.own);
      }
    }
    standing_in(const standing_in&) = delete;
    standing_in& operator=(const standing_in&) = delete;
    ~standing_in() {
      for (compressible* const layer : layers_) layer->set_stand_in({});
    }
    [[nodiscard]] const std::vector<at::Tensor>& tensors() const noexcept { return tensors_; }

   private:
    std::vector<at::Tensor> tensors_;
    std::vector<compressible*> layers_;
  };

  [[nodiscard]] static torch_network_params checked(torch_network_params params) {
    require(params.temperature > 0 && std::isfinite(params.temperature), errc::bad_params, "temperature ",
            params.temperature, " is not positive and finite");
    require(params.other_rate >= 0 && std::isfinite(params.other_rate), errc::bad_params, "rate of other parameters ",
            params.other_rate, " is not a finite number >= 0");
    return params;
  }

  void find_layers() {
    std::vector<module_layer> all = layers_of(*module_);
    if (params_.select)
      all.erase(std::remove_if(all.begin(), all.end(), [&](const auto& layer) { return !params_.select(layer.name); }),
                all.end());
    require(!all.empty(), errc::bad_params, "the network has no layer to compress");
    const std::vector<layer_place> places = places_of(*module_, all, forward_, detail::checked_batch(data_, 0));
    std::vector<std::size_t> order(all.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    for (const std::size_t i : order)
      require(places[i].uses > 0, errc::bad_params, "no data reaches layer ", all[i].name);
    std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return places[a].order < places[b].order; });
    for (const std::size_t i : order) {
      layers_.push_back(all[i]);
      places_.push_back(places[i]);
    }
  }

  /// The teacher's outputs of all batches.
  void imitate() {
    const at::NoGradGuard no_grad;
    for (std::size_t b = 0; b < data_.batches; ++b) {
      const at::Tensor batch = detail::checked_batch(data_, b);
      const at::Tensor outputs = (params_.teacher ? params_.teacher : forward_)(batch).detach().contiguous();
      detail::require_floats(outputs, "teacher's outputs");
      require(outputs.dim() == 2, errc::bad_shape, "outputs of ", outputs.dim(), " dimensions, not samples x classes");
      if (b == 0 && params_.teacher) require_same_classes(outputs, forward_(batch));
      require_finite(detail::weight_matrix(outputs), "teacher's outputs");
      logits_.push_back(outputs.clone());
    }
  }

  static void require_same_classes(const at::Tensor& teacher, const at::Tensor& student) {
    require(student.sizes() == teacher.sizes(), errc::bad_shape, "a teacher of ", teacher.size(-1),
            " classes for a student of ", student.size(-1));
  }

  [[nodiscard]] static matrix_view<float> rows_of(at::Tensor& t) {
    return {t.data_ptr<float>(), detail::extent(t, 0), detail::extent(t, 1)};
  }

  [[nodiscard]] static nchw_view<const float> samples_of(const at::Tensor& x) {
    if (x.dim() == 4) return detail::maps_of(x);
    return {x.data_ptr<float>(), {detail::extent(x, 0), detail::extent(x, 1), 1, 1}, {x.stride(0), x.stride(1), 1, 1}};
  }

  /// Throws non_finite with the first layer that reads what is not finite.
  [[noreturn]] void blame(std::size_t b, const at::Tensor& batch) const {
    for (std::size_t i = 0; i < layers_.size(); ++i)
      for (const at::Tensor& input : inputs_of(*module_, layers_[i], places_[i], forward_, batch))
        require(detail::all_finite(input), errc::non_finite, "batch ", b, ": layer ", layers_[i].name,
                " reads NaN or infinity");
    fail(errc::non_finite, "batch ", b, ": outputs hold NaN or infinity");
  }

  /// From what autograd found: the gradient of a codebook, or of the weights of a layer of torch::nn.
  [[nodiscard]] std::vector<float> codeword_values(std::size_t i, const at::Tensor& found) const {
    const pq_matrix<float>& codes = *codes_[i];
    if (layers_[i].plain() || weights_too_) return codeword_gradient(codes, detail::weight_matrix(found));
    const std::span<const float> values = detail::values_of(found);
    return {values.begin(), values.end()};
  }

  std::shared_ptr<::torch::nn::Module> module_;
  forward_function forward_;
  calibration_data data_;
  torch_network_params params_;
  evaluation_mode mode_;
  std::vector<module_layer> layers_;
  std::vector<layer_place> places_;
  std::vector<at::Tensor> originals_;
  std::vector<std::optional<pq_matrix<float>>> codes_;
  host_values others_;
  std::vector<at::Tensor> logits_;  ///< of the teacher, by batch
  bool weights_too_ = false;
  std::vector<at::Tensor> weight_gradients_;  ///< of the last step, where they are kept
};

static_assert(trainable_network<torch_network> && stateful_network<torch_network> && adapting_network<torch_network> &&
              self_training_network<torch_network> && refreshable_network<torch_network>);

}  // namespace torch
}  // namespace v1
}  // namespace bitpq
