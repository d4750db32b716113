// SPDX-License-Identifier: Apache-2.0
#pragma once

// Writes safetensors: tensors by descending element size, then name, without holes, behind a header padded to eight
// bytes, so that every element of a mapped file is aligned. The same tensors always make the same bytes.

#include <bitpq/io/atomic_file.hpp>
#include <bitpq/io/detail/json_header.hpp>
#include <bitpq/io/detail/little_endian.hpp>

#include <algorithm>
#include <locale>
#include <sstream>

namespace bitpq {
inline namespace v1 {

namespace detail {

/// As a JSON string. Throws bad_params for what is no UTF-8.
inline std::string json_string(const std::string& text) {
  std::string json = nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  // The library replaces what it cannot write; comparing with what is read back finds it without an exception.
  const nlohmann::json back = nlohmann::json::parse(json, nullptr, false);
  require(back.is_string() && back.get_ref<const std::string&>() == text, errc::bad_params, "name or metadata ",
          quoted{text}, " is no valid UTF-8");
  return json;
}

/// Throws bad_params or bad_shape for a tensor that no file can hold beside the others.
inline void check_tensor(const tensor_view& tensor, const tensor_view* before) {
  const quoted name{tensor.name};
  require(tensor.name != metadata_key, errc::bad_params, "a tensor cannot be named ", name);
  require(before == nullptr || before->name != tensor.name, errc::bad_params, "two tensors are named ", name);
  require(tensor.shape.size() <= max_rank, errc::bad_shape, "tensor ", name, " has ", tensor.shape.size(),
          " dimensions, more than ", max_rank);
  const std::optional<std::size_t> bytes = byte_count(tensor.type, tensor.shape);
  require(bytes.has_value(), errc::bad_shape, "tensor ", name, " of ", to_string(tensor.type), " elements has shape ",
          listed{tensor.shape}, ", which takes no whole number of bytes below 2^64");
  require(*bytes == tensor.bytes.size(), errc::bad_shape, "tensor ", name, " of ", to_string(tensor.type),
          " elements and shape ", listed{tensor.shape}, " takes ", *bytes, " bytes, got ", tensor.bytes.size());
}

/// The tensors in the order of the file, all checked.
inline std::vector<const tensor_view*> file_order(std::span<const tensor_view> tensors) {
  std::vector<const tensor_view*> order;
  for (const tensor_view& tensor : tensors) order.push_back(&tensor);
  std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) { return a->name < b->name; });
  for (std::size_t i = 0; i < order.size(); ++i) check_tensor(*order[i], i == 0 ? nullptr : order[i - 1]);
  std::stable_sort(order.begin(), order.end(),
                   [](const auto* a, const auto* b) { return bits_of(a->type) > bits_of(b->type); });
  return order;
}

inline std::string header_entry_json(const tensor_view& tensor, std::size_t begin) {
  std::ostringstream json;
  json.imbue(std::locale::classic());
  json << json_string(tensor.name) << R"(:{"dtype":")" << to_string(tensor.type) << R"(","shape":[)";
  for (std::size_t i = 0; i < tensor.shape.size(); ++i) json << (i == 0 ? "" : ",") << tensor.shape[i];
  json << R"(],"data_offsets":[)" << begin << ',' << begin + tensor.bytes.size() << "]}";
  return json.str();
}

/// Header length and header.
inline std::string header_for(const std::vector<const tensor_view*>& order, const metadata_map& metadata) {
  std::string json = "{";
  if (!metadata.empty()) {
    json += json_string(std::string(metadata_key)) + ":{";
    for (const auto& [key, value] : metadata) json += json_string(key) + ':' + json_string(value) + ',';
    json.back() = '}';
    json += ',';
  }
  std::size_t begin = 0;
  for (const tensor_view* const tensor : order) {
    json += header_entry_json(*tensor, begin) + ',';
    begin += tensor->bytes.size();
  }
  if (json.size() > 1) json.pop_back();
  json += '}';
  json.resize(round_up(json.size(), 8), ' ');
  require(json.size() <= max_header_bytes, errc::bad_params, "header of ", json.size(), " bytes exceeds the limit of ",
          max_header_bytes);
  std::string header(8, '\0');
  store_le(static_cast<std::uint64_t>(json.size()), reinterpret_cast<std::byte*>(header.data()));
  return header + json;
}

}  // namespace detail

/// Replaces the file at `path`, all or nothing (see atomic_file); tensors in any order, their bytes are not copied.
/// Throws bad_shape or bad_params, with names and numbers, before anything is written; io_failure as atomic_file does.
inline void write_safetensors(const std::filesystem::path& path, std::span<const tensor_view> tensors,
                              const metadata_map& metadata = {}) {
  const std::vector<const tensor_view*> order = detail::file_order(tensors);
  const std::string header = detail::header_for(order, metadata);
  atomic_file file(path);
  file.write(std::as_bytes(std::span(header)));
  for (const tensor_view* const tensor : order) file.write(tensor->bytes);
  file.commit();
}

}  // namespace v1
}  // namespace bitpq
