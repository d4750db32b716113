// SPDX-License-Identifier: Apache-2.0
#pragma once

// Which network a checkpoint holds, told by the names of its layers.

#include "engine/architectures.hpp"

#include <bitpq/io/compressed_model.hpp>
#include <bitpq/io/safetensors_reader.hpp>

#include <algorithm>
#include <map>

namespace engine {

struct architecture {
  std::string name;
  graph structure;
};

/// Layers by name, without ".weight", and how many outputs each has.
using layer_rows = std::map<std::string, std::size_t>;

/// The layers of a file of trained weights: whatever has rows and columns.
inline layer_rows layers_of(const bitpq::safetensors_reader& file) {
  layer_rows layers;
  for (const bitpq::tensor_view& t : file.tensors())
    if (t.name.ends_with(".weight") && t.shape.size() >= 2)
      layers.emplace(t.name.substr(0, t.name.size() - 7), t.shape[0]);
  return layers;
}

/// The layers of a compressed model, with codes or without.
inline layer_rows layers_of(const bitpq::compressed_model<float>& model) {
  layer_rows layers;
  for (const auto& [name, t] : model.tensors())
    if (name.ends_with(".weight") && t.shape.size() >= 2) layers.emplace(name.substr(0, name.size() - 7), t.shape[0]);
  for (const auto& [name, l] : model.layers())
    if (name.ends_with(".weight")) layers.emplace(name.substr(0, name.size() - 7), l.geometry.rows());
  return layers;
}

namespace detail {

/// The first layer that the network has and the checkpoint has not; empty where there is none.
inline std::string first_missing(const graph& structure, const layer_rows& layers) {
  for (const node& step : structure.nodes)
    if (step.type == node::kind::layer && !layers.contains(step.name)) return step.name;
  return {};
}

/// The first layer that the checkpoint has and the network has not.
inline std::string first_unknown(const graph& structure, const layer_rows& layers) {
  layer_rows rest = layers;
  for (const node& step : structure.nodes) rest.erase(step.name);
  return rest.empty() ? std::string() : rest.begin()->first;
}

inline std::size_t count_present(const graph& structure, const layer_rows& layers) {
  std::size_t present = 0;
  for (const node& step : structure.nodes)
    present += step.type == node::kind::layer && layers.contains(step.name) ? 1 : 0;
  return present;
}

inline std::size_t rows_or(const layer_rows& layers, const std::string& name, std::size_t otherwise) {
  const auto at = layers.find(name);
  return at == layers.end() ? otherwise : at->second;
}

}  // namespace detail

/// The network whose layers these are: the one that shares most with them, and of those that share as many the
/// smallest. Throws bad_params, with that network's name and the layer, unless both have the same layers; `file` stands
/// for the checkpoint in the error.
inline architecture find_architecture(const layer_rows& layers, const std::string& file) {
  const std::size_t classes = detail::rows_or(layers, "fc", 1000);
  std::vector<architecture> known;
  for (const std::size_t depth : std::initializer_list<std::size_t>{18, 34, 50, 101})
    known.push_back({"ResNet-" + std::to_string(depth), resnet(depth, classes)});
  known.push_back({"SqueezeNet 1.1", squeezenet1_1(detail::rows_or(layers, "classifier.1", 1000))});
  const auto shares_less = [&](const architecture& a, const architecture& b) {
    const std::size_t in_a = detail::count_present(a.structure, layers),
                      in_b = detail::count_present(b.structure, layers);
    return in_a != in_b ? in_a < in_b : a.structure.nodes.size() > b.structure.nodes.size();
  };
  architecture found = *std::max_element(known.begin(), known.end(), shares_less);
  const std::string missing = detail::first_missing(found.structure, layers);
  bitpq::require(missing.empty(), bitpq::errc::bad_params, file, " holds none of the networks known here; nearest is ",
                 found.name, ", whose layer ", missing, " is missing");
  const std::string unknown = detail::first_unknown(found.structure, layers);
  bitpq::require(unknown.empty(), bitpq::errc::bad_params, file, " holds none of the networks known here; nearest is ",
                 found.name, ", which has no layer ", unknown);
  return found;
}

}  // namespace engine
