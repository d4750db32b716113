// SPDX-License-Identifier: Apache-2.0
#pragma once

// Fills a graph with weights: those of a trained network, its batch norms folded, or the codes of a compressed one.

#include "engine/network.hpp"

#include <bitpq/io/model.hpp>
#include <bitpq/io/safetensors.hpp>

namespace engine {

/// Weights and biases of a network, ready to run, and how many parameters it was trained with.
struct trained_network {
  network net;
  std::size_t parameters = 0;  ///< weights, biases, scales and shifts; not the statistics of batch norms
};

namespace detail {

/// Reads tensors of known sizes.
class tensor_source {
 public:
  explicit tensor_source(const bitpq::safetensors_reader& file) : file_(file) {}

  [[nodiscard]] bool has(const std::string& name) const { return file_.contains(name); }
  /// Throws bad_params, naming the tensor, when it is missing, and bad_shape when it has another size.
  [[nodiscard]] std::vector<float> operator()(const std::string& name, std::size_t size) const {
    std::vector<float> values = file_.values<float>(name);
    bitpq::require(values.size() == size, bitpq::errc::bad_shape, file_.file_name(), ": ", name, " has ", values.size(),
                   " elements, expected ", size);
    return values;
  }

 private:
  const bitpq::safetensors_reader& file_;
};

/// Batch norm at inference is an affine map per channel; folded, it costs nothing. Scales the rows of `weights`
/// (channels x columns) and returns the bias. Files without statistics hold weight and bias with these folded in.
inline std::vector<float> fold_batch_norm(std::vector<float>& weights, const std::string& norm, std::size_t channels,
                                          const tensor_source& read) {
  constexpr float epsilon = 1e-5F;  // torch's
  std::vector<float> scale = read(norm + ".weight", channels), bias = read(norm + ".bias", channels);
  if (read.has(norm + ".running_var")) {
    const std::vector<float> mean = read(norm + ".running_mean", channels);
    const std::vector<float> variance = read(norm + ".running_var", channels);
    for (std::size_t c = 0; c < channels; ++c) {
      scale[c] /= std::sqrt(variance[c] + epsilon);
      bias[c] -= mean[c] * scale[c];
    }
  }
  const std::size_t columns = weights.size() / channels;
  for (std::size_t c = 0; c < channels; ++c)
    for (std::size_t i = 0; i < columns; ++i) weights[c * columns + i] *= scale[c];
  return bias;
}

}  // namespace detail

/// The network that a file of trained weights holds. Throws bitpq::error that names the first tensor which is missing
/// or of another size.
inline trained_network load_trained(graph structure, const bitpq::safetensors_reader& file) {
  trained_network result{network(std::move(structure)), 0};
  const detail::tensor_source read(file);
  for (const node& step : result.net.structure().nodes) {
    if (step.type != node::kind::layer) continue;
    const bitpq::layer_geometry& g = step.geometry;
    std::vector<float> weights = read(step.name + ".weight", g.rows() * g.cols());
    const bool norm = !step.norm.empty();
    std::vector<float> bias = norm ? detail::fold_batch_norm(weights, step.norm, g.out_channels, read)
                                   : read(step.name + ".bias", g.out_channels);
    result.parameters += weights.size() + (norm ? 2 : 1) * bias.size();
    result.net.set(step.name, layer(g, std::move(weights), std::move(bias)));
  }
  return result;
}

/// The network that a compressed model holds: layers that it has codes for run on them. Throws bitpq::error that names
/// the first layer which is missing or of another shape.
inline network load_compressed(graph structure, const bitpq::compressed_model<float>& model) {
  network net(std::move(structure));
  for (const node& step : net.structure().nodes) {
    if (step.type != node::kind::layer) continue;
    std::vector<float> bias = model.values(step.name + ".bias");
    const std::string weight = step.name + ".weight";
    if (!model.layers().contains(weight)) {
      net.set(step.name, layer(step.geometry, model.values(weight), std::move(bias)));
      continue;
    }
    const auto& [geometry, codes] = model.layer(weight);
    bitpq::require(geometry == step.geometry, bitpq::errc::bad_shape, "layer ", weight, " has ", geometry.rows(), " x ",
                   geometry.cols(), " weights or other strides than expected");
    net.set(step.name, layer(step.geometry, codes, std::move(bias)));
  }
  return net;
}

}  // namespace engine
