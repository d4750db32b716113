// SPDX-License-Identifier: Apache-2.0
#pragma once

// The demo's network as a host would write it: a small ResNet whose layers may be dense or compressed, one by one.

#include "engine/layer.hpp"
#include "fashion_mnist/idx.hpp"

#include <bitpq/io/safetensors.hpp>

#include <functional>
#include <map>
#include <string>

namespace fashion_mnist {

struct layer_spec {
  std::string name;
  bitpq::layer_geometry geometry;
};

/// The layers in the order they run: a stem, three stages of residual blocks, a linear classifier.
inline std::vector<layer_spec> architecture() {
  using bitpq::layer_geometry;
  const auto conv3x3 = [](std::size_t in, std::size_t out, std::size_t stride) {
    return layer_geometry::conv2d(out, in, {3, 3}, {{stride, stride}, {1, 1}, {1, 1}, 1});
  };
  std::vector<layer_spec> layers{{"conv1", conv3x3(1, 32, 1)}};
  const std::size_t widths[] = {48, 96, 192}, blocks[] = {1, 2, 2};
  std::size_t in = 32;
  for (std::size_t stage = 0; stage < 3; ++stage)
    for (std::size_t block = 0; block < blocks[stage]; ++block, in = widths[stage]) {
      const std::string name = "layer" + std::to_string(stage + 1) + "." + std::to_string(block) + ".";
      const std::size_t out = widths[stage], stride = block == 0 ? 2 : 1;
      layers.push_back({name + "conv1", conv3x3(in, out, stride)});
      if (block == 0)
        layers.push_back({name + "downsample.0", layer_geometry::conv2d(out, in, {1, 1}, {{stride, stride}})});
      layers.push_back({name + "conv2", conv3x3(out, out, 1)});
    }
  layers.push_back({"fc", layer_geometry::linear(class_count, in)});
  return layers;
}

class network {
 public:
  /// Sees the input of each layer before it runs; returning false ends the pass.
  using observer = std::function<bool(const std::string& layer, const engine::tensor& input)>;

  [[nodiscard]] const engine::layer& at(const std::string& name) const { return layers_.at(name); }
  void set(const std::string& name, engine::layer layer) { layers_[name] = std::move(layer); }

  /// Logits, n x 10 x 1 x 1, or an empty tensor when the observer ended the pass.
  [[nodiscard]] engine::tensor forward(engine::tensor x, bitpq::executor_ref exec, const observer& observe = {}) const {
    const auto enter = [&](const std::string& name, const engine::tensor& input) {
      return !observe || observe(name, input);
    };
    if (!enter("conv1", x)) return {};
    x = at("conv1").run(x, true, exec);
    for (const std::string block : {"layer1.0.", "layer2.0.", "layer2.1.", "layer3.0.", "layer3.1."}) {
      if (!enter(block + "conv1", x)) return {};
      const engine::tensor inner = at(block + "conv1").run(x, true, exec);
      if (layers_.contains(block + "downsample.0")) {
        if (!enter(block + "downsample.0", x)) return {};
        x = at(block + "downsample.0").run(x, false, exec);
      }
      if (!enter(block + "conv2", inner)) return {};
      x = at(block + "conv2").run(inner, true, exec, &x);
    }
    x = engine::global_average_pool(x);
    if (!enter("fc", x)) return {};
    return at("fc").run(x, false, exec);
  }

 private:
  std::map<std::string, engine::layer> layers_;
};

/// The trained network with its batch norms folded, and how many parameters it was trained with.
struct teacher {
  network net;
  std::size_t parameters = 0;
};

/// Reads weights under their usual names. Throws bitpq::error when one is missing or of another shape.
inline teacher load_teacher(const std::string& path) {
  const bitpq::safetensors_reader file(path);
  const auto values = [&](const std::string& name, std::size_t size) {
    std::vector<float> v = file.values<float>(name);
    bitpq::require(v.size() == size, bitpq::errc::bad_shape, path, ": ", name, " has ", v.size(),
                   " elements, expected ", size);
    return v;
  };
  teacher result;
  for (const layer_spec& spec : architecture()) {
    const std::size_t outputs = spec.geometry.out_channels;
    std::vector<float> weights = values(spec.name + ".weight", outputs * spec.geometry.cols()), bias;
    result.parameters += weights.size() + outputs;
    if (spec.name == "fc") {
      bias = values("fc.bias", outputs);
    } else {
      // conv1 goes with bn1, downsample.0 with downsample.1.
      std::string norm = spec.name;
      const std::size_t at = norm.rfind("conv");
      if (at != std::string::npos)
        norm.replace(at, 4, "bn");
      else
        norm.back() = '1';
      bias = engine::fold_batch_norm(weights, values(norm + ".weight", outputs), values(norm + ".bias", outputs),
                                     values(norm + ".running_mean", outputs), values(norm + ".running_var", outputs));
      result.parameters += outputs;
    }
    result.net.set(spec.name, engine::layer(spec.geometry, std::move(weights), std::move(bias)));
  }
  return result;
}

/// Images first .. first + n of a set, normalised as the network was trained.
inline engine::tensor batch_of(const image_set& images, std::size_t first, std::size_t n) {
  engine::tensor x(n, 1, image_side, image_side);
  for (std::size_t i = 0; i < n * image_pixels; ++i)
    x.data()[i] = (static_cast<float>(images.pixels[first * image_pixels + i]) / 255.0F - pixel_mean) / pixel_std;
  return x;
}

}  // namespace fashion_mnist
