// SPDX-License-Identifier: Apache-2.0
#pragma once

// Carries the network's weights to an fp16 safetensors file and back.

#include "network.hpp"

#include <algorithm>
#include <cstddef>
#include <map>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <torch/torch.h>
#include <bitpq/io/safetensors.hpp>

namespace fashion_mnist {

namespace detail {

/// All that makes up the network, by name: parameters and batch-norm statistics (not the batch counters).
inline std::map<std::string, torch::Tensor> named_tensors(const teacher& network) {
  std::map<std::string, torch::Tensor> result;
  for (const auto& p : network->named_parameters()) result.emplace(p.key(), p.value());
  for (const auto& b : network->named_buffers()) {
    if (b.value().is_floating_point()) result.emplace(b.key(), b.value());
  }
  return result;
}

inline std::span<float> elements(torch::Tensor& tensor) {
  return {tensor.data_ptr<float>(), static_cast<std::size_t>(tensor.numel())};
}

inline std::vector<std::size_t> shape_of(const torch::Tensor& tensor) {
  return {tensor.sizes().begin(), tensor.sizes().end()};
}

}  // namespace detail

/// Replaces the file at `path` by the weights rounded to fp16. Throws bitpq::error if it cannot be written or
/// a weight exceeds the fp16 range.
inline void write_weights(const std::string& path, const teacher& network, const bitpq::metadata_map& metadata) {
  std::vector<bitpq::tensor_view> views;
  std::map<std::string, std::vector<std::byte>> bytes;
  for (auto& [name, tensor] : detail::named_tensors(network)) {
    auto& stored = bytes[name];
    stored = bitpq::encode_values<float>(bitpq::dtype::f16, detail::elements(tensor));
    views.push_back({name, bitpq::dtype::f16, detail::shape_of(tensor), stored});
  }
  bitpq::write_safetensors(path, views, metadata);
}

/// Sets `network` to the weights at `path`. Throws bitpq::error if the file is damaged or lacks a tensor,
/// std::runtime_error if a tensor has another shape; `network` may then be set in part.
inline void read_weights(const std::string& path, teacher& network) {
  const bitpq::safetensors_reader file(path);
  for (auto& [name, tensor] : detail::named_tensors(network)) {
    if (file[name].shape != detail::shape_of(tensor)) {
      throw std::runtime_error(path + ": " + name + " has not the shape of the teacher's");
    }
    const std::vector<float> values = file.values<float>(name);
    std::copy(values.begin(), values.end(), detail::elements(tensor).begin());
  }
}

}  // namespace fashion_mnist
