// SPDX-License-Identifier: Apache-2.0
#pragma once

// Compresses a LibTorch network where it stands: compress_network over its layers, and what came of each.

#include <bitpq/interop/torch/model_file.hpp>
#include <bitpq/interop/torch/torch_network.hpp>
#include <bitpq/train/compress_network.hpp>

namespace bitpq {
inline namespace v1 {
namespace torch {

struct module_params {
  network_params compression{};    ///< how layers are compressed and tuned, and how the network is in the end
  torch_network_params network{};  ///< what is imitated, and which layers take part
};

struct module_report {
  network_report network;
  std::vector<std::string> on_codes;  ///< layers that run on codes
  /// Layers of torch::nn: they compute with decoded weights, save size in files and nothing else. To run on codes they
  /// would have to be bitpq::torch::linear and conv2d.
  std::vector<std::string> decoded;
  plain_codes codes;  ///< of the latter, for save_module
};

/// Compresses the layers of `module` by compress_network; `forward` computes its outputs, samples x classes. Layers of
/// this library become compressed; those of torch::nn get decoded weights. When it returns the module is in the modes
/// that it was in. Throws as torch_network and compress_network do, the module then being as it was.
inline module_report compress_module(const std::shared_ptr<::torch::nn::Module>& module,
                                     const forward_function& forward, const calibration_data& data,
                                     const module_params& params = {}, const network_run<float>& run = {}) {
  torch_network network(module, forward, data, params.network);
  if (params.compression.layer_tuning.refresh_every > 0 || params.compression.global_tuning.refresh_every > 0)
    network.keep_weight_gradients();
  module_report report;
#if BITPQ_HAS_EXCEPTIONS
  try {
    report.network = compress_network(network, params.compression, run, at_executor{});
  } catch (...) {
    network.undo();
    throw;
  }
#else
  report.network = compress_network(network, params.compression, run, at_executor{});
#endif
  for (std::size_t i = 0; i < network.module_layers().size(); ++i) {
    const module_layer& layer = network.module_layers()[i];
    if (network.codes(i) == nullptr) continue;
    (layer.plain() ? report.decoded : report.on_codes).push_back(layer.name);
    if (layer.plain())
      report.codes.emplace(layer.name, compressed_layer<float>{network.geometry(i), *network.codes(i)});
  }
  return report;
}

/// The same for a module whose forward takes and returns a tensor.
template <class Module>
module_report compress_module(const std::shared_ptr<Module>& module, const calibration_data& data,
                              const module_params& params = {}, const network_run<float>& run = {}) {
  return compress_module(
      std::shared_ptr<::torch::nn::Module>(module), [&](const at::Tensor& x) { return module->forward(x); }, data,
      params, run);
}
template <class Module>
module_report compress_module(const ::torch::nn::ModuleHolder<Module>& module, const calibration_data& data,
                              const module_params& params = {}, const network_run<float>& run = {}) {
  return compress_module(module.ptr(), data, params, run);
}

}  // namespace torch
}  // namespace v1
}  // namespace bitpq
