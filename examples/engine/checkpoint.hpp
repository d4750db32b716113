// SPDX-License-Identifier: Apache-2.0
#pragma once

// A checkpoint of whichever kind: trained weights or a compressed model, of a network that is told by its layers.

#include "engine/find_architecture.hpp"
#include "engine/weights.hpp"

#include <optional>

namespace engine {

/// A safetensors file, mapped, and the network that it holds.
class checkpoint {
 public:
  /// Throws bitpq::error: io_failure, corrupt_file, or bad_params that names the first layer which a known network has
  /// and the file has not.
  explicit checkpoint(const std::filesystem::path& path) : file_(path) {
    if (file_.metadata().contains("bitpq.format")) model_ = bitpq::load_model<float>(file_);
    architecture_ = find_architecture(model_ ? layers_of(*model_) : layers_of(file_), path.string());
  }
  checkpoint(const checkpoint&) = delete;
  checkpoint& operator=(const checkpoint&) = delete;

  [[nodiscard]] const std::string& name() const noexcept { return architecture_.name; }
  [[nodiscard]] const graph& structure() const noexcept { return architecture_.structure; }
  [[nodiscard]] std::size_t file_bytes() const noexcept { return file_.file_bytes(); }
  /// Lives as long as the checkpoint.
  [[nodiscard]] weights_source weights() const { return model_ ? compressed_weights(*model_) : trained_weights(file_); }

 private:
  bitpq::safetensors_reader file_;
  std::optional<bitpq::compressed_model<float>> model_;
  architecture architecture_;
};

}  // namespace engine
