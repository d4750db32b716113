// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a host that owns LibTorch modules brings along: weights out of a checkpoint, images as batches, answers.

#include "engine/answers.hpp"

#include <bitpq/interop/torch.hpp>
#include <bitpq/io/safetensors.hpp>

namespace engine {

/// Gives every parameter and statistic of the module the tensor of its name; counters of steps stay. Throws bad_params
/// or bad_shape that name the first tensor which the file lacks or has of another size; those before it are set.
inline void load_weights(torch::nn::Module& module, const bitpq::safetensors_reader& file) {
  const at::NoGradGuard no_grad;
  const auto load = [&](const std::string& name, at::Tensor& to) {
    if (!to.is_floating_point()) return;
    std::vector<float> values = file.values<float>(name);
    bitpq::require(values.size() == static_cast<std::size_t>(to.numel()), bitpq::errc::bad_shape, file.file_name(),
                   ": ", name, " has ", values.size(), " elements, expected ", to.numel());
    to.copy_(at::from_blob(values.data(), to.sizes(), at::kFloat));
  };
  for (auto& item : module.named_parameters()) load(item.key(), item.value());
  for (auto& item : module.named_buffers()) load(item.key(), item.value());
}

/// Images first .. first + n as a tensor.
inline at::Tensor tensor_of(const image_source& images, std::size_t first, std::size_t n) {
  tensor batch = images.batch(first, n);
  const auto size = [](std::size_t i) { return static_cast<std::int64_t>(i); };
  const tensor_shape& s = batch.shape();
  return at::from_blob(batch.data(), {size(s.n), size(s.c), size(s.h), size(s.w)}, at::kFloat).clone();
}

/// The images batch by batch, made when they are asked for.
inline bitpq::torch::calibration_data in_batches(const image_source& images, std::size_t batch) {
  return {bitpq::ceil_div(images.count, batch), [images, batch](std::size_t i) {
            return tensor_of(images, i * batch, std::min(batch, images.count - i * batch));
          }};
}

/// The logits of a module, which a shared_ptr owns, in evaluation mode; one row per image.
template <class Module>
answers answers_of(Module& module, const image_source& images) {
  const bitpq::torch::evaluation_mode mode(module);
  const at::NoGradGuard no_grad;
  const bitpq::torch::calibration_data batches = in_batches(images, 64);
  answers all;
  for (std::size_t b = 0; b < batches.batches; ++b) {
    const at::Tensor logits = module.forward(batches.batch(b)).contiguous();
    const auto classes = static_cast<std::size_t>(logits.size(1));
    for (const float* row = logits.data_ptr<float>(); row < logits.data_ptr<float>() + logits.numel(); row += classes)
      all.emplace_back(row, row + classes);
  }
  return all;
}

}  // namespace engine
