// SPDX-License-Identifier: Apache-2.0
#pragma once

// The tensors of a checkpoint: of one safetensors file, or of the shards that a model.safetensors.index.json lists.

#include <bitpq/io/safetensors.hpp>

#include <filesystem>
#include <string_view>
#include <vector>

namespace cli {

/// Read-only and mapped; the views live as long as the object.
class checkpoint {
 public:
  /// A path that ends in ".json" is an index, whose shards lie beside it. Throws io_failure or corrupt_file, naming the
  /// file: also for a shard that is missing or lacks a tensor, and for a tensor that is in two shards.
  explicit checkpoint(const std::filesystem::path& path);

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  /// By name.
  [[nodiscard]] const std::vector<const bitpq::tensor_view*>& tensors() const noexcept { return tensors_; }
  /// Null when there is none of that name.
  [[nodiscard]] const bitpq::tensor_view* find(std::string_view name) const noexcept;
  /// The free-form strings of the file, or of all shards; of equal keys the first shard's.
  [[nodiscard]] const bitpq::metadata_map& metadata() const noexcept { return metadata_; }
  /// Of all files together.
  [[nodiscard]] std::size_t file_bytes() const noexcept;

 private:
  void open_shards(const std::filesystem::path& index);
  void list_tensors();

  std::string name_;
  std::vector<bitpq::safetensors_reader> files_;
  std::vector<const bitpq::tensor_view*> tensors_;
  bitpq::metadata_map metadata_;
};

}  // namespace cli
