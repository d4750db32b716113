// SPDX-License-Identifier: Apache-2.0
#pragma once

// Networks of LibTorch in the container of compressed models: codes for compressed layers, everything else as tensors
// under LibTorch's names.

#include <bitpq/interop/torch/network_layers.hpp>
#include <bitpq/io/model.hpp>

namespace bitpq {
inline namespace v1 {
namespace torch {

/// Codes of layers of torch::nn, which cannot hold them, by the name of the module.
using plain_codes = std::map<std::string, compressed_layer<float>, std::less<>>;

namespace detail {

[[nodiscard]] inline std::string weight_of(const std::string& layer) { return layer + ".weight"; }

/// LibTorch's types and those of files.
inline constexpr std::pair<at::ScalarType, dtype> dtype_pairs[] = {
    {at::kFloat, dtype::f32}, {at::kDouble, dtype::f64},  {at::kHalf, dtype::f16},  {at::kBFloat16, dtype::bf16},
    {at::kLong, dtype::i64},  {at::kInt, dtype::i32},     {at::kShort, dtype::i16}, {at::kChar, dtype::i8},
    {at::kByte, dtype::u8},   {at::kBool, dtype::boolean}};

[[nodiscard]] inline dense_tensor stored(const std::string& name, const at::Tensor& t) {
  for (const auto& [theirs, ours] : dtype_pairs) {
    if (t.scalar_type() != theirs) continue;
    const at::Tensor values = t.detach().cpu().contiguous();
    const auto* const first = static_cast<const std::byte*>(values.data_ptr());
    std::vector<std::size_t> shape;
    for (const std::int64_t size : t.sizes()) shape.push_back(static_cast<std::size_t>(size));
    return {ours, std::move(shape), {first, first + values.nbytes()}};
  }
  fail(errc::unsupported, "tensor ", name, " of ", c10::toString(t.scalar_type()), " elements cannot be stored");
}

/// The values of a stored tensor of any of these types, contiguous.
[[nodiscard]] inline at::Tensor loaded(const std::string& name, const dense_tensor& t) {
  for (const auto& [theirs, ours] : dtype_pairs) {
    if (t.type != ours) continue;
    at::Tensor values = at::empty(std::vector<std::int64_t>(t.shape.begin(), t.shape.end()), theirs);
    std::copy(t.bytes.begin(), t.bytes.end(), static_cast<std::byte*>(values.data_ptr()));
    return values;
  }
  fail(errc::unsupported, "tensor ", name, " of ", to_string(t.type), " elements cannot be loaded");
}

/// Parameters and buffers, each once under its first name, but for codebooks.
[[nodiscard]] inline std::vector<std::pair<std::string, at::Tensor>> tensors_of(
    const ::torch::nn::Module& network, const std::vector<module_layer>& layers) {
  std::set<const at::TensorImpl*> seen;
  for (const module_layer& layer : layers)
    if (!layer.plain() && layer.own->compressed()) seen.insert(layer.own->codebook.unsafeGetTensorImpl());
  std::vector<std::pair<std::string, at::Tensor>> tensors;
  const auto keep = [&](const auto& items) {
    for (const auto& item : items)
      if (item.value().defined() && seen.insert(item.value().unsafeGetTensorImpl()).second)
        tensors.emplace_back(item.key(), item.value());
  };
  keep(network.named_parameters());
  keep(network.named_buffers());
  return tensors;
}

[[nodiscard]] inline bool same_shape(const at::Tensor& t, const std::vector<std::size_t>& shape) {
  const std::vector<std::int64_t> sizes(shape.begin(), shape.end());
  return t.sizes() == at::IntArrayRef(sizes);
}

/// What a file changes of a network, found and checked before any of it is done.
class model_assignment {
 public:
  model_assignment(const ::torch::nn::Module& network, const compressed_model<float>& model)
      : layers_(layers_of(network)) {
    std::set<std::string, std::less<>> wanted;
    std::set<const at::TensorImpl*> coded;
    for (const module_layer& layer : layers_) {
      const std::string name = weight_of(layer.name);
      const auto found = model.layers().find(name);
      if (found != model.layers().end()) {
        check_layer(layer, found->second);
        wanted.insert(name);
        codes_.emplace_back(&layer, &found->second);
        coded.insert(layer.plain() ? layer.weight.unsafeGetTensorImpl() : nullptr);
      } else if (!layer.plain() && layer.own->compressed()) {
        require_shape(name, layer.own->dense_weight(), model);
        wanted.insert(name);
        dense_.emplace_back(&layer, loaded(name, model.tensor(name)));
      }
    }
    for (const auto& [name, tensor] : tensors_of(network, layers_)) {
      if (coded.contains(tensor.unsafeGetTensorImpl()) || wanted.contains(name)) continue;
      require_shape(name, tensor, model);
      wanted.insert(name);
      tensors_.emplace_back(tensor, loaded(name, model.tensor(name)));
    }
    for (const auto& [name, layer] : model.layers()) require_wanted(wanted, name);
    for (const auto& [name, tensor] : model.tensors()) require_wanted(wanted, name);
  }
  model_assignment(const model_assignment&) = delete;
  model_assignment& operator=(const model_assignment&) = delete;

  plain_codes apply() const {
    const at::NoGradGuard no_grad;
    plain_codes plain;
    for (const auto& [layer, stored] : codes_) {
      if (layer->plain()) {
        layer->weight.copy_(coded_weights(stored->geometry, stored->weight).decoded());
        plain.emplace(layer->name, *stored);
      } else {
        layer->own->set_codes(stored->weight);
      }
    }
    for (const auto& [layer, weight] : dense_) layer->own->set_weight(weight);
    for (const auto& [tensor, values] : tensors_) tensor.copy_(values);
    return plain;
  }

 private:
  static void check_layer(const module_layer& layer, const compressed_layer<float>& stored) {
    const layer_geometry& g = stored.geometry;
    if (!layer.plain()) {
      require(g == layer.own->geometry(), errc::bad_shape, "layer ", layer.name,
              " of the file has another geometry than the network's");
      return;
    }
    require(layer.weight.dim() > 1 && extent(layer.weight, 0) == g.rows() &&
                static_cast<std::size_t>(layer.weight.numel()) == g.rows() * g.cols(),
            errc::bad_shape, "layer ", layer.name, " of the file has ", g.rows(), " x ", g.cols(),
            " weights, the network's ", layer.weight.numel());
  }
  static void require_shape(const std::string& name, const at::Tensor& tensor, const compressed_model<float>& model) {
    require(model.tensors().contains(name), errc::bad_params, "the file has no tensor ", name);
    require(same_shape(tensor, model.tensor(name).shape), errc::bad_shape, "tensor ", name, " of the file has ",
            model.tensor(name).bytes.size(), " bytes in another shape than the network's ", tensor.numel(),
            " elements");
  }
  static void require_wanted(const std::set<std::string, std::less<>>& wanted, const std::string& name) {
    require(wanted.contains(name), errc::bad_params, "the network has no ", name, ", which the file holds");
  }

  std::vector<module_layer> layers_;
  std::vector<std::pair<const module_layer*, const compressed_layer<float>*>> codes_;
  std::vector<std::pair<const module_layer*, at::Tensor>> dense_;
  std::vector<std::pair<at::Tensor, at::Tensor>> tensors_;
};

}  // namespace detail

/// The network as a compressed model: layer "name.weight" for each compressed layer, tensors for everything else.
/// Layers of torch::nn that are computed by decoded weights are stored by the codes in `plain`. Tensors and modules
/// that stand under several names are stored under the first. Throws bad_params for a layer in `plain` that the network
/// has not, non_finite for codewords that are not finite.
[[nodiscard]] inline compressed_model<float> model_of(const ::torch::nn::Module& network,
                                                      const plain_codes& plain = {}) {
  const std::vector<module_layer> layers = layers_of(network);
  compressed_model<float> model;
  std::set<const at::TensorImpl*> coded;
  std::size_t stored = 0;
  for (const module_layer& layer : layers) {
    const auto codes = plain.find(layer.name);
    if (layer.plain() && codes != plain.end()) {
      model.add_layer(detail::weight_of(layer.name), codes->second.geometry, codes->second.weight);
      coded.insert(layer.weight.unsafeGetTensorImpl());
      ++stored;
    } else if (!layer.plain() && layer.own->compressed()) {
      model.add_layer(detail::weight_of(layer.name), layer.own->geometry(), layer.own->codes());
    }
  }
  require(stored == plain.size(), errc::bad_params, "codes of ", plain.size(),
          " layers of torch::nn, of which the network has ", stored);
  for (const auto& [name, tensor] : detail::tensors_of(network, layers))
    if (!coded.contains(tensor.unsafeGetTensorImpl())) model.add_tensor(name, detail::stored(name, tensor));
  return model;
}

/// Replaces the file at `path`, all or nothing. Throws as model_of and save_model do.
inline void save_module(const std::filesystem::path& path, const ::torch::nn::Module& network,
                        const plain_codes& plain = {}) {
  save_model(path, model_of(network, plain));
}

/// Gives the network what the model holds: layers of this library become compressed where the model has codes of
/// them, and dense where not; layers of torch::nn get the decoded weights, and their codes are returned. Throws,
/// nothing changed, bad_params or bad_shape for the model of another network, unsupported for element types LibTorch
/// has not.
inline plain_codes assign(::torch::nn::Module& network, const compressed_model<float>& model) {
  return detail::model_assignment(network, model).apply();
}

/// The same from a file; outputs in evaluation mode are those of the network that was saved. Throws also as load_model
/// does.
inline plain_codes load_module(const std::filesystem::path& path, ::torch::nn::Module& network) {
  return assign(network, load_model<float>(path));
}

}  // namespace torch
}  // namespace v1
}  // namespace bitpq
