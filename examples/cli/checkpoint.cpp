// SPDX-License-Identifier: Apache-2.0

#include "cli/checkpoint.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <set>

namespace cli {

namespace fs = std::filesystem;
using bitpq::errc;
using bitpq::require;
using bitpq::detail::quoted;

checkpoint::checkpoint(const fs::path& path) : name_(path.string()) {
  if (path.extension() == ".json")
    open_shards(path);
  else
    files_.emplace_back(path);
  list_tensors();
  for (const bitpq::safetensors_reader& file : files_) metadata_.insert(file.metadata().begin(), file.metadata().end());
}

void checkpoint::open_shards(const fs::path& index) {
  const bitpq::mapped_file file(index);
  const std::string_view text(reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size());
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
  require(json.is_object() && json.contains("weight_map") && json["weight_map"].is_object(), errc::corrupt_file, name_,
          ": no index of a sharded checkpoint: it has no object \"weight_map\"");
  std::set<std::string> shards;
  for (const auto& [tensor, shard] : json["weight_map"].items()) {
    require(shard.is_string(), errc::corrupt_file, name_, ": the shard of ", quoted{tensor}, " is no string");
    const auto& file_name = shard.get_ref<const std::string&>();
    require(!file_name.empty() && fs::path(file_name).filename() == fs::path(file_name), errc::corrupt_file, name_,
            ": shard ", quoted{file_name}, " is no file beside the index");
    shards.insert(file_name);
  }
  for (const std::string& shard : shards) {
    const fs::path path = index.parent_path() / shard;
    require(fs::exists(path), errc::io_failure, name_, ": shard ", quoted{shard}, " is missing");
    files_.emplace_back(path);
    for (const auto& [tensor, of] : json["weight_map"].items())
      require(of != shard || files_.back().contains(tensor), errc::corrupt_file, name_, ": shard ", quoted{shard},
              " has no tensor ", quoted{tensor});
  }
}

void checkpoint::list_tensors() {
  for (const bitpq::safetensors_reader& file : files_)
    for (const bitpq::tensor_view& tensor : file.tensors()) tensors_.push_back(&tensor);
  std::sort(tensors_.begin(), tensors_.end(), [](const auto* a, const auto* b) { return a->name < b->name; });
  const auto twice = std::adjacent_find(tensors_.begin(), tensors_.end(),
                                        [](const auto* a, const auto* b) { return a->name == b->name; });
  if (twice != tensors_.end())
    bitpq::fail(errc::corrupt_file, name_, ": tensor ", quoted{(*twice)->name}, " is in two shards");
}

const bitpq::tensor_view* checkpoint::find(std::string_view name) const noexcept {
  const auto at = std::lower_bound(tensors_.begin(), tensors_.end(), name,
                                   [](const auto* tensor, std::string_view n) { return tensor->name < n; });
  return at != tensors_.end() && (*at)->name == name ? *at : nullptr;
}

std::size_t checkpoint::file_bytes() const noexcept {
  std::size_t bytes = 0;
  for (const bitpq::safetensors_reader& file : files_) bytes += file.file_bytes();
  return bytes;
}

}  // namespace cli
