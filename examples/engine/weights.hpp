// SPDX-License-Identifier: Apache-2.0
#pragma once

// Fills a graph with weights: those of a trained network, its batch norms folded, or the codes of a compressed one.

#include "engine/network.hpp"

#include <bitpq/io/model.hpp>
#include <bitpq/io/safetensors.hpp>

#include <functional>

namespace engine {

/// What a layer computes with: its batch norm, if it had one, is folded in.
struct layer_weights {
  std::variant<std::vector<float>, bitpq::pq_matrix<float>> values;  ///< rows x cols, dense or as codes
  std::vector<float> bias;
};

/// Where weights come from, layer by layer, so that no more than one layer is in memory twice.
using weights_source = std::function<layer_weights(const node&)>;

/// The weights of a layer as rows x cols numbers.
inline std::vector<float> dense_values(const layer_weights& weights) {
  if (const auto* const dense = std::get_if<std::vector<float>>(&weights.values)) return *dense;
  const auto& codes = std::get<bitpq::pq_matrix<float>>(weights.values);
  std::vector<float> values(codes.rows() * codes.cols());
  codes.decode({values.data(), codes.rows(), codes.cols()});
  return values;
}

/// How each layer is computed: less exact arithmetic is allowed layer by layer.
using arithmetic_source = std::function<arithmetic(const node&)>;

/// A network that is ready to run; all its layers are exact unless `how` says otherwise.
inline network build_network(
    graph structure, const weights_source& weights_of,
    const arithmetic_source& how = [](const node&) { return arithmetic(); }) {
  network net(std::move(structure));
  for (const node& step : net.structure().nodes) {
    if (step.type != node::kind::layer) continue;
    layer_weights w = weights_of(step);
    if (auto* const dense = std::get_if<std::vector<float>>(&w.values))
      net.set(step.name, layer(step.geometry, std::move(*dense), std::move(w.bias), how(step)));
    else
      net.set(step.name,
              layer(step.geometry, std::get<bitpq::pq_matrix<float>>(w.values), std::move(w.bias), how(step)));
  }
  return net;
}

namespace detail {

/// `values`, if there are so many. Throws bad_shape that names the tensor and its file.
inline std::vector<float> sized(std::vector<float> values, const std::string& file, const std::string& name,
                                std::size_t size) {
  bitpq::require(values.size() == size, bitpq::errc::bad_shape, file, ": ", name, " has ", values.size(),
                 " elements, expected ", size);
  return values;
}

/// Batch norm at inference is an affine map per channel: a factor for each row of the weights, and the bias.
struct folded_norm {
  std::vector<float> scale, bias;
};

/// read(name, size) reads a tensor, has(name) says whether there is one. Files without statistics hold a norm's weight
/// and bias with these folded in.
template <class Read, class Has>
folded_norm read_norm(const std::string& norm, std::size_t channels, const Read& read, const Has& has) {
  constexpr float epsilon = 1e-5F;  // torch's
  folded_norm folded{read(norm + ".weight", channels), read(norm + ".bias", channels)};
  if (!has(norm + ".running_var")) return folded;
  const std::vector<float> mean = read(norm + ".running_mean", channels);
  const std::vector<float> variance = read(norm + ".running_var", channels);
  for (std::size_t c = 0; c < channels; ++c) {
    folded.scale[c] /= std::sqrt(variance[c] + epsilon);
    folded.bias[c] -= mean[c] * folded.scale[c];
  }
  return folded;
}

inline void scale_rows(std::vector<float>& weights, const std::vector<float>& scale) {
  const std::size_t columns = weights.size() / scale.size();
  for (std::size_t i = 0; i < weights.size(); ++i) weights[i] *= scale[i / columns];
}

/// Codes whose rows are scaled cost nothing more: a row's scale is applied when its sum is stored.
inline bitpq::pq_matrix<float> with_row_scales(const bitpq::pq_matrix<float>& w, std::vector<float> scale) {
  for (std::size_t r = 0; r < scale.size(); ++r) scale[r] *= w.scales()[r];
  return {w.rows(),  w.cols(),          w.book(),
          w.codes(), w.format().stages, bitpq::row_scales<float>(scale, bitpq::codeword_type::f32)};
}

inline layer_weights trained_layer(const node& step, const bitpq::safetensors_reader& file) {
  const auto read = [&](const std::string& name, std::size_t size) {
    return sized(file.values<float>(name), file.file_name(), name, size);
  };
  std::vector<float> weights = read(step.name + ".weight", step.geometry.rows() * step.geometry.cols());
  if (step.norm.empty()) return {std::move(weights), read(step.name + ".bias", step.geometry.rows())};
  folded_norm norm =
      read_norm(step.norm, step.geometry.rows(), read, [&](const std::string& name) { return file.contains(name); });
  scale_rows(weights, norm.scale);
  return {std::move(weights), std::move(norm.bias)};
}

/// The codes of a layer. Stride and padding are the network's: checkpoints that were compressed without it know none.
inline const bitpq::pq_matrix<float>& codes_of(const node& step, const bitpq::compressed_model<float>& model) {
  const auto& [geometry, codes] = model.layer(step.name + ".weight");
  bitpq::require(geometry.rows() == step.geometry.rows() && geometry.cols() == step.geometry.cols() &&
                     geometry.kernel == step.geometry.kernel,
                 bitpq::errc::bad_shape, "layer ", step.name, " has ", geometry.rows(), " x ", geometry.cols(),
                 " weights, expected ", step.geometry.rows(), " x ", step.geometry.cols());
  return codes;
}

inline layer_weights compressed_layer(const node& step, const bitpq::compressed_model<float>& model) {
  const auto read = [&](const std::string& name, std::size_t size) {
    return sized(model.values(name), "the model", name, size);
  };
  const std::size_t rows = step.geometry.rows();
  const bool normed = !step.norm.empty() && model.tensors().contains(step.norm + ".weight");
  folded_norm norm;
  if (normed)
    norm = read_norm(step.norm, rows, read, [&](const std::string& name) { return model.tensors().contains(name); });
  else
    norm.bias = read(step.name + ".bias", rows);
  if (model.layers().contains(step.name + ".weight")) {
    const bitpq::pq_matrix<float>& codes = codes_of(step, model);
    return {normed ? with_row_scales(codes, norm.scale) : codes, std::move(norm.bias)};
  }
  std::vector<float> weights = read(step.name + ".weight", rows * step.geometry.cols());
  if (normed) scale_rows(weights, norm.scale);
  return {std::move(weights), std::move(norm.bias)};
}

}  // namespace detail

/// The layers of a trained network, which `file` holds and must outlive. Asking for one throws bitpq::error that names
/// the tensor which is missing or of another size.
inline weights_source trained_weights(const bitpq::safetensors_reader& file) {
  return [&file](const node& step) { return detail::trained_layer(step, file); };
}

/// The layers of a compressed network, on codes where it has them. Batch norms that it holds are folded, else layers
/// have biases. Throws as above.
inline weights_source compressed_weights(const bitpq::compressed_model<float>& model) {
  return [&model](const node& step) { return detail::compressed_layer(step, model); };
}

/// Weights and biases of a network, ready to run, and how many parameters it was trained with.
struct trained_network {
  network net;
  std::size_t parameters = 0;  ///< weights, biases, scales and shifts; not the statistics of batch norms
};

/// The network that a file of trained weights holds. Throws as trained_weights.
inline trained_network load_trained(graph structure, const bitpq::safetensors_reader& file) {
  trained_network result{build_network(std::move(structure), trained_weights(file)), 0};
  for (const node& step : result.net.structure().nodes)
    if (step.type == node::kind::layer)
      result.parameters += step.geometry.rows() * (step.geometry.cols() + (step.norm.empty() ? 1 : 2));
  return result;
}

/// The network that a compressed model holds. Throws as compressed_weights.
inline network load_compressed(graph structure, const bitpq::compressed_model<float>& model) {
  return build_network(std::move(structure), compressed_weights(model));
}

}  // namespace engine
