// SPDX-License-Identifier: Apache-2.0

#include "cli/commands.hpp"
#include "cli/layer_note.hpp"

#include <bitpq/io/model.hpp>

#include <cstdio>

namespace cli {

namespace {

std::string shape_text(const bitpq::layer_geometry& g) {
  std::string text = std::to_string(g.out_channels) + " x " + std::to_string(g.in_channels);
  if (g.type == bitpq::layer_geometry::kind::conv2d)
    text += ", " + std::to_string(g.kernel.h) + " x " + std::to_string(g.kernel.w);
  if (g.groups() > 1) text += ", " + std::to_string(g.groups()) + " groups";
  return text;
}

std::string error_text(const std::optional<double>& error) {
  if (!error) return "-";
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", *error);
  return text;
}

}  // namespace

void info(const std::filesystem::path& input) {
  const bitpq::safetensors_reader file(input);
  const auto model = bitpq::load_model<double>(file);
  int width = 5;
  for (const auto& [name, layer] : model.layers()) width = (std::max)(width, static_cast<int>(name.size()));
  std::printf("%-*s  %-26s %4s %6s %5s %11s %10s %12s %12s\n", width, "layer", "shape", "d", "K", "store",
              "bits/weight", "bytes", "weight error", "output error");
  for (const auto& [name, layer] : model.layers()) {
    const bitpq::code_format& format = layer.weight.format();
    const bitpq::size_report size = layer.weight.size();
    const layer_note note = note_of(model.metadata(), name);
    std::printf("%-*s  %-26s %4zu %6zu %5s %11.3f %10zu %12s %12s\n", width, name.c_str(),
                shape_text(layer.geometry).c_str(), format.block_size, format.codewords,
                to_string(layer.weight.book().type()), size.bits_per_weight(), size.bytes(),
                error_text(note.weight_error).c_str(), error_text(note.output_error).c_str());
  }
  const bitpq::model_size size = model.size();
  std::printf("%zu layers: %zu weights in %zu bytes, %.3f bits per weight\n", model.layers().size(),
              size.layers.weights, size.layers.bytes(), size.layers.bits_per_weight());
  std::printf("%zu other tensors: %zu values in %zu bytes\n", model.tensors().size(), size.dense_values,
              size.dense_bits / 8);
  std::printf("header: %zu bytes; file: %zu bytes\n", file.header_bytes(), file.file_bytes());
}

}  // namespace cli
