// SPDX-License-Identifier: Apache-2.0
#pragma once

// The demo's network as a host would write it: a small ResNet on the engine, and its inputs.

#include "engine/architectures.hpp"
#include "engine/weights.hpp"
#include "fashion_mnist/idx.hpp"

namespace fashion_mnist {

/// A stem of 32 channels, three stages of residual blocks that halve the image, a linear classifier.
inline engine::graph architecture() {
  engine::resnet_shape shape;
  shape.input_channels = 1;
  shape.classes = class_count;
  shape.stem_width = 32;
  shape.large_stem = false;
  shape.widths = {48, 96, 192};
  shape.blocks = {1, 2, 2};
  shape.first_stride = 2;
  return engine::residual_network(shape);
}

/// Reads the trained weights under their usual names. Throws bitpq::error when one is missing or of another shape.
inline engine::trained_network load_teacher(const std::string& path) {
  return engine::load_trained(architecture(), bitpq::safetensors_reader(path));
}

/// Images first .. first + n of a set, normalised as the network was trained.
inline engine::tensor batch_of(const image_set& images, std::size_t first, std::size_t n) {
  engine::tensor x(n, 1, image_side, image_side);
  for (std::size_t i = 0; i < n * image_pixels; ++i)
    x.data()[i] = (static_cast<float>(images.pixels[first * image_pixels + i]) / 255.0F - pixel_mean) / pixel_std;
  return x;
}

}  // namespace fashion_mnist
