// SPDX-License-Identifier: Apache-2.0
#pragma once

// The layers of a LibTorch network that can be compressed: those of this library, and torch::nn's own.

#include <bitpq/interop/torch/conv2d.hpp>
#include <bitpq/interop/torch/graph_inputs.hpp>
#include <bitpq/interop/torch/linear.hpp>

#include <ATen/SequenceNumber.h>
#include <torch/nn/modules/linear.h>

#include <map>
#include <set>
#include <string>

namespace bitpq {
inline namespace v1 {
namespace torch {

/// Computes the network's outputs.
using forward_function = std::function<at::Tensor(const at::Tensor&)>;

/// One of the two, by name.
struct module_layer {
  std::string name;  ///< of the module
  std::shared_ptr<::torch::nn::Module> module;
  compressible* own = nullptr;           ///< a layer of this library
  at::Tensor weight{};                   ///< of a layer of torch::nn, its parameter
  std::vector<std::string> shared_as{};  ///< further names of the same module

  [[nodiscard]] bool plain() const noexcept { return own == nullptr; }
  /// What an optimiser tunes: the weight, or the codebook.
  [[nodiscard]] const at::Tensor& parameter() const noexcept { return plain() ? weight : own->parameter(); }
};

/// All of a module's, in the order of named_modules(). A module that stands under several names is one layer. Throws
/// unsupported, with the names, where different modules share one weight.
[[nodiscard]] inline std::vector<module_layer> layers_of(const ::torch::nn::Module& network) {
  std::vector<module_layer> layers;
  std::map<const ::torch::nn::Module*, std::size_t> known;
  std::map<const at::TensorImpl*, std::size_t> weights;
  for (const auto& item : network.named_modules(std::string(), false)) {
    const std::shared_ptr<::torch::nn::Module>& module = item.value();
    if (const auto at = known.find(module.get()); at != known.end()) {
      layers[at->second].shared_as.push_back(item.key());
      continue;
    }
    module_layer layer{item.key(), module, dynamic_cast<compressible*>(module.get())};
    if (auto* const linear = module->as<::torch::nn::LinearImpl>()) layer.weight = linear->weight;
    if (auto* const conv = module->as<::torch::nn::Conv2dImpl>()) layer.weight = conv->weight;
    if (layer.plain() && !layer.weight.defined()) continue;
    if (layer.plain()) {
      const auto [at, fresh] = weights.emplace(layer.weight.unsafeGetTensorImpl(), layers.size());
      require(fresh, errc::unsupported, "layers ", layers[fresh ? 0 : at->second].name, " and ", layer.name,
              " share one weight");
    }
    known.emplace(module.get(), layers.size());
    layers.push_back(std::move(layer));
  }
  return layers;
}

/// What a layer reads each time that it is used in a forward pass, n x features or n x channels x h x w.
using layer_inputs = std::vector<at::Tensor>;

namespace detail {

/// Has some weights ask for gradients while it lives, and nothing else of a network.
class asking_for_gradients {
 public:
  asking_for_gradients(const ::torch::nn::Module& network, const std::vector<at::Tensor>& wanted) {
    for (const at::Tensor& p : network.parameters()) {
      was_.emplace_back(p, p.requires_grad());
      p.requires_grad_(false);
    }
    for (const at::Tensor& p : wanted) p.requires_grad_(true);
  }
  asking_for_gradients(const asking_for_gradients&) = delete;
  asking_for_gradients& operator=(const asking_for_gradients&) = delete;
  ~asking_for_gradients() {
    for (auto& [p, was] : was_) p.requires_grad_(was);
  }

 private:
  std::vector<std::pair<at::Tensor, bool>> was_;
};

/// Thrown by a tap that has seen all it wants, to end the pass.
struct seen_enough {};

/// Of a layer of this library: by its tap, and no further than needed where the number of uses is known.
[[nodiscard]] inline layer_inputs inputs_by_tap(compressible& layer, const forward_function& forward,
                                                const at::Tensor& batch, std::size_t uses) {
  layer_inputs inputs;
  struct untap {
    compressible& layer;
    ~untap() { layer.set_tap({}); }
  } guard{layer};
  layer.set_tap([&](const at::Tensor& x) {
    inputs.push_back(x.clone());  // what follows may change it in place
    if (inputs.size() == uses) throw seen_enough();
  });
  const at::NoGradGuard no_grad;
  try {
    static_cast<void>(forward(batch));
  } catch (const seen_enough&) {
  }
  return inputs;
}

/// Of a layer of torch::nn: from the recorded graph.
[[nodiscard]] inline layer_inputs inputs_by_graph(const ::torch::nn::Module& network, const at::Tensor& weight,
                                                  const forward_function& forward, const at::Tensor& batch) {
  const asking_for_gradients asking(network, {weight});
  const at::AutoGradMode record(true);
  layer_inputs inputs;
  for (const recorded_use& use : recorded_uses(forward(batch), {weight.unsafeGetTensorImpl()}))
    inputs.push_back(use.input.detach());
  return inputs;
}

}  // namespace detail

/// A layer's place in the network, as one pass shows it.
struct layer_place {
  layer_geometry geometry;
  std::size_t uses = 0;
  std::uint64_t order = 0;  ///< of its first use
};

/// Where the layers stand, by one forward pass. A layer that data does not reach has no use. Throws unsupported, with
/// the name, for a layer of torch::nn that is used in ways of different geometry.
[[nodiscard]] inline std::vector<layer_place> places_of(const ::torch::nn::Module& network,
                                                        const std::vector<module_layer>& layers,
                                                        const forward_function& forward, const at::Tensor& batch) {
  std::vector<layer_place> places(layers.size());
  std::map<const at::TensorImpl*, std::size_t> index;
  weight_set plain;
  const auto used = [&](std::size_t i, const layer_geometry& geometry, std::uint64_t order) {
    layer_place& place = places[i];
    require(place.uses == 0 || place.geometry == geometry, errc::unsupported, "layer ", layers[i].name,
            " is used in two ways");
    if (place.uses++ == 0) place.order = order;
    place.geometry = geometry;
  };
  for (std::size_t i = 0; i < layers.size(); ++i) {
    if (layers[i].plain()) {
      index.emplace(layers[i].weight.unsafeGetTensorImpl(), i);
      plain.insert(layers[i].weight.unsafeGetTensorImpl());
    } else {
      layers[i].own->set_tap(
          [&, i](const at::Tensor&) { used(i, layers[i].own->geometry(), at::sequence_number::peek()); });
    }
  }
  struct untap {
    const std::vector<module_layer>& layers;
    ~untap() {
      for (const module_layer& layer : layers)
        if (!layer.plain()) layer.own->set_tap({});
    }
  } guard{layers};
  const detail::asking_for_gradients asking(network, network.parameters());
  const at::AutoGradMode record(true);
  for (const recorded_use& use : recorded_uses(forward(batch), plain))
    used(index.at(use.weight), use.geometry, use.order);
  return places;
}

/// What layer `layer` reads for a batch.
[[nodiscard]] inline layer_inputs inputs_of(const ::torch::nn::Module& network, const module_layer& layer,
                                            const layer_place& place, const forward_function& forward,
                                            const at::Tensor& batch) {
  return layer.plain() ? detail::inputs_by_graph(network, layer.weight, forward, batch)
                       : detail::inputs_by_tap(*layer.own, forward, batch, place.uses);
}

}  // namespace torch
}  // namespace v1
}  // namespace bitpq
