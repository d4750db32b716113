// SPDX-License-Identifier: Apache-2.0

#include "cli/commands.hpp"
#include "cli/context.hpp"
#include "cli/interrupt.hpp"
#include "cli/layer_note.hpp"
#include "engine/progress_bar.hpp"

#include <bitpq/io/model.hpp>

#include <cstdio>
#include <deque>

namespace cli {

namespace {

/// The shape that a framework gives the weight.
std::vector<std::size_t> shape_of(const bitpq::layer_geometry& g) {
  if (g.type == bitpq::layer_geometry::kind::linear) return {g.out_channels, g.in_channels};
  return {g.out_channels, g.in_per_group(), g.kernel.h, g.kernel.w};
}

std::vector<std::byte> dense_bytes(const bitpq::pq_matrix<double>& weight, bitpq::dtype type) {
  std::vector<double> values(weight.rows() * weight.cols());
  weight.decode({values.data(), weight.rows(), weight.cols()});
  return bitpq::encode_values<double>(type, values);
}

}  // namespace

void decompress(const decompress_options& options) {
  // Doubles hold every codeword exactly, whatever it is stored in.
  const auto model = bitpq::load_model<double>(options.input);
  std::vector<bitpq::tensor_view> tensors;
  std::deque<std::vector<std::byte>> owned;
  for (const auto& [name, tensor] : model.tensors()) {
    const bitpq::dtype type = type_before(model.metadata(), name, tensor.type);
    if (type != tensor.type)
      owned.push_back(bitpq::encode_values<double>(type, bitpq::decode_values<double>(tensor.type, tensor.bytes)));
    tensors.push_back({name, type, tensor.shape, type == tensor.type ? tensor.bytes : owned.back()});
  }
  bitpq::metadata_map metadata;
  for (const auto& [key, value] : model.metadata())
    if (!key.starts_with(note_key)) metadata.emplace(key, value);
  {
    engine::progress_bar bar("decompressing", model.layers().size());
    for (const auto& [name, layer] : model.layers()) {
      stop_if_interrupted();
      const bitpq::dtype type = options.type.value_or(note_of(model.metadata(), name).type);
      const bitpq::pq_matrix<double>& weight = layer.weight;
      in_context("tensor '" + name + "'", [&] { owned.push_back(dense_bytes(weight, type)); });
      tensors.push_back({name, type, shape_of(layer.geometry), owned.back()});
      bar.advance(1, name);
    }
  }
  bitpq::write_safetensors(options.output, tensors, metadata);
  std::printf("%s: %zu weights decompressed, %zu tensors as they were\n", options.output.string().c_str(),
              model.layers().size(), model.tensors().size());
}

}  // namespace cli
