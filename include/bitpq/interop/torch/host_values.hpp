// SPDX-License-Identifier: Apache-2.0
#pragma once

// What of a network is no compressed layer's weights: biases, batch norms, layers that were not selected.

#include <bitpq/interop/torch/calibration_data.hpp>
#include <bitpq/interop/torch/network_layers.hpp>
#include <bitpq/train/adam.hpp>
#include <bitpq/train/network.hpp>

namespace bitpq {
inline namespace v1 {
namespace torch {

/// Parameters and buffers by name, with copies of what they were and, where they are tuned, an Adam each.
class host_values {
 public:
  host_values() = default;

  /// All but the parameters of `layers`. With `tuned`, parameters that ask for gradients are.
  host_values(const ::torch::nn::Module& network, const std::vector<module_layer>& layers, bool tuned) {
    std::set<const at::TensorImpl*> seen;
    for (const module_layer& layer : layers) seen.insert(layer.parameter().unsafeGetTensorImpl());
    const auto keep = [&](const std::string& name, const at::Tensor& t, bool learns) {
      if (!t.defined() || !seen.insert(t.unsafeGetTensorImpl()).second) return;
      values_.push_back({name, t, t.detach().clone()});
      if (learns && t.requires_grad() && t.scalar_type() == at::kFloat)
        values_.back().optimizer.emplace(static_cast<std::size_t>(t.numel()));
    };
    for (const auto& item : network.named_parameters()) keep(item.key(), item.value(), tuned);
    for (const auto& item : network.named_buffers()) keep(item.key(), item.value(), false);
  }

  /// The network holds what it was at first and the copies what it has, or the other way round.
  void exchange() {
    for (value& v : values_) {
      const at::Tensor now = v.tensor.variable_data();
      v.tensor.set_data(v.original);
      v.original = now;
    }
  }

  /// The network holds what it was at first.
  void undo() {
    for (value& v : values_) v.tensor.copy_(v.original);
  }

  /// Those that are tuned.
  [[nodiscard]] std::vector<at::Tensor> tuned() const {
    std::vector<at::Tensor> tensors;
    for (const value& v : values_)
      if (v.optimizer) tensors.push_back(v.tensor);
    return tensors;
  }

  /// Their gradients, in that order; undefined: none.
  void take_gradients(std::span<const at::Tensor> gradients) {
    std::size_t next = 0;
    for (value& v : values_)
      if (v.optimizer) v.gradient = gradients[next++];
  }

  /// Moves those that have a gradient, which is used up.
  void step(double rate) {
    for (value& v : values_) {
      if (!v.gradient.defined()) continue;
      at::Tensor moved = v.tensor.detach().clone(at::MemoryFormat::Contiguous);
      const at::Tensor gradient = std::exchange(v.gradient, at::Tensor()).contiguous();
      v.optimizer->step(detail::writable_values(moved), detail::values_of(gradient), rate);
      v.tensor.copy_(moved);
    }
  }

  /// Throws non_finite, with the name, for a gradient that is not finite.
  void check_gradients() const {
    for (const value& v : values_)
      require(!v.gradient.defined() || detail::all_finite(v.gradient), errc::non_finite, "the gradient of ", v.name,
              " holds NaN or infinity");
  }

  [[nodiscard]] host_state<float> state() const {
    host_state<float> all;
    for (const value& v : values_) {
      const at::Tensor floats = v.tensor.detach().to(at::kFloat).contiguous();
      const std::span<const float> values = detail::values_of(floats);
      all[v.name].assign(values.begin(), values.end());
      if (!v.optimizer) continue;
      const optimizer_state<float>& s = v.optimizer->state();
      all[adam_part("steps", v)] = {static_cast<float>(s.steps)};
      all[adam_part("first", v)] = s.first;
      all[adam_part("second", v)] = s.second;
    }
    return all;
  }

  /// Throws bad_params or bad_shape for the state of another network, nothing changed.
  void restore(const host_state<float>& saved) {
    for (const value& v : values_) {
      static_cast<void>(part(saved, v.name, v.size()));
      if (!v.optimizer) continue;
      static_cast<void>(part(saved, adam_part("steps", v), 1));
      static_cast<void>(part(saved, adam_part("first", v), v.size()));
      static_cast<void>(part(saved, adam_part("second", v), v.size()));
    }
    for (value& v : values_) {
      const std::vector<float>& values = part(saved, v.name, v.size());
      v.tensor.copy_(at::from_blob(const_cast<float*>(values.data()), v.tensor.sizes(), at::kFloat));
      if (v.optimizer)
        v.optimizer->restore({static_cast<std::uint64_t>(part(saved, adam_part("steps", v), 1)[0]),
                              part(saved, adam_part("first", v), v.size()),
                              part(saved, adam_part("second", v), v.size())});
    }
  }

 private:
  struct value {
    std::string name;
    at::Tensor tensor;
    at::Tensor original;
    std::optional<adam<float>> optimizer{};
    at::Tensor gradient{};

    [[nodiscard]] std::size_t size() const { return static_cast<std::size_t>(tensor.numel()); }
  };

  [[nodiscard]] static std::string adam_part(const char* what, const value& v) {
    return std::string("adam.") + what + "." + v.name;
  }

  [[nodiscard]] static const std::vector<float>& part(const host_state<float>& saved, const std::string& name,
                                                      std::size_t size) {
    const auto at = saved.find(name);
    require(at != saved.end(), errc::bad_params, "the state has no values ", name);
    require(at->second.size() == size, errc::bad_shape, "the state has ", at->second.size(), " values ", name, ", not ",
            size);
    return at->second;
  }

  std::vector<value> values_;
};

}  // namespace torch
}  // namespace v1
}  // namespace bitpq
