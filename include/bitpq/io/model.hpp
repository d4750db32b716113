// SPDX-License-Identifier: Apache-2.0
#pragma once

// Saves and loads compressed models as safetensors; docs/format.md describes the file. Saving and loading is the
// identity, bit for bit.

#include <bitpq/io/compressed_model.hpp>
#include <bitpq/io/detail/model_loader.hpp>
#include <bitpq/io/safetensors.hpp>

namespace bitpq {
inline namespace v1 {

namespace detail {

/// The codewords in their stored form.
template <scalar T>
std::vector<std::byte> codebook_bytes(const codebook<T>& book) {
  if (book.type() != codeword_type::i8) return encode_values<T>(dtype_of(book.type()), book.values());
  std::vector<std::byte> bytes(book.values().size());
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(book.quantized(i));
  return bytes;
}

/// Views of everything a model stores; codebooks, which change form, are in `owned`.
struct stored_model {
  std::vector<tensor_view> tensors;
  std::vector<std::vector<std::byte>> owned;
  metadata_map metadata;

  void add(std::string name, dtype type, std::vector<std::size_t> shape, std::span<const std::byte> bytes) {
    tensors.push_back({std::move(name), type, std::move(shape), bytes});
  }

  void add_owned(std::string name, dtype type, std::vector<std::size_t> shape, std::vector<std::byte> bytes) {
    owned.push_back(std::move(bytes));
    add(std::move(name), type, std::move(shape), owned.back());
  }

  template <scalar T>
  void add(const std::string& name, const compressed_layer<T>& layer) {
    const pq_matrix<T>& w = layer.weight;
    const codebook<T>& book = w.book();
    add(part_of(name, codes_suffix), dtype::u8, {w.codes().bytes().size()}, std::as_bytes(w.codes().bytes()));
    add_owned(part_of(name, codebook_suffix), dtype_of(book.type()),
              {book.count(), book.codewords(), book.block_size()}, codebook_bytes(book));
    if (book.type() == codeword_type::i8)
      add_owned(part_of(name, scale_suffix), dtype::f32, {book.count()},
                encode_values<float>(dtype::f32, book.scales()));
    if (const std::optional<codeword_type> type = w.scales().type())
      add_owned(part_of(name, row_scale_suffix), dtype_of(*type), {w.rows()},
                encode_values<T>(dtype_of(*type), w.scales().values()));
    metadata.emplace(part_of(layer_key, name), to_text(layer_record{layer.geometry, w.format(), w.scales().size()}));
  }
};

/// Everything of a model, which must outlive it.
template <scalar T>
stored_model stored_of(const compressed_model<T>& model) {
  stored_model stored;
  stored.metadata = model.metadata();
  stored.metadata.emplace(format_key, format_version);
  for (const auto& [name, layer] : model.layers()) stored.add(name, layer);
  for (const auto& [name, tensor] : model.tensors()) stored.add(name, tensor.type, tensor.shape, tensor.bytes);
  return stored;
}

}  // namespace detail

/// Bytes before the first tensor of the file that save_model would write, which has model.size().bytes() behind them.
/// Throws bad_params as save_model does. O(model): codebooks are brought to their stored form.
template <scalar T>
[[nodiscard]] std::size_t header_bytes(const compressed_model<T>& model) {
  const detail::stored_model stored = detail::stored_of(model);
  return detail::header_for(detail::file_order(stored.tensors), stored.metadata).size();
}

/// Replaces the file at `path`, all or nothing. Throws io_failure when the system refuses, bad_params for names or
/// metadata that are no UTF-8.
template <scalar T>
void save_model(const std::filesystem::path& path, const compressed_model<T>& model) {
  const detail::stored_model stored = detail::stored_of(model);
  write_safetensors(path, stored.tensors, stored.metadata);
}

/// Builds a model from an open file; the model owns its bytes. Throws corrupt_file, with file, layer and numbers, when
/// parts contradict each other; unsupported for another format version and for F64 codebooks in a model of float.
template <scalar T>
[[nodiscard]] compressed_model<T> load_model(const safetensors_reader& file) {
  return detail::model_loader<T>(file).load();
}

/// The same from a path. Throws also as safetensors_reader does.
template <scalar T>
[[nodiscard]] compressed_model<T> load_model(const std::filesystem::path& path) {
  return load_model<T>(safetensors_reader(path));
}

}  // namespace v1
}  // namespace bitpq
