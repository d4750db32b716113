// SPDX-License-Identifier: Apache-2.0
#pragma once

// What `info` prints of a model: a line for each layer, then sums.

#include "cli/layer_note.hpp"
#include "cli/paper_size.hpp"

#include <cstdio>

namespace cli {

/// Of the file that holds the model, or that would.
struct file_bytes {
  std::size_t header, total;
  bool foreseen = false;  ///< not yet written: both are the most that it comes to
};

namespace detail {

inline std::string shape_text(const bitpq::layer_geometry& g) {
  std::string text = std::to_string(g.out_channels) + " x " + std::to_string(g.in_channels);
  if (g.type == bitpq::layer_geometry::kind::conv2d)
    text += ", " + std::to_string(g.kernel.h) + " x " + std::to_string(g.kernel.w);
  if (g.groups() > 1) text += ", " + std::to_string(g.groups()) + " groups";
  return text;
}

inline std::string error_text(const std::optional<double>& error) {
  if (!error) return "-";
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", *error);
  return text;
}

template <bitpq::scalar T>
void print_layers(const bitpq::compressed_model<T>& model, bool foreseen) {
  int width = 5;
  for (const auto& [name, layer] : model.layers()) width = (std::max)(width, static_cast<int>(name.size()));
  std::printf("%-*s  %-26s %4s %6s %5s %11s %10s %12s %12s\n", width, "layer", "shape", "d", "K", "store",
              "bits/weight", "bytes", "weight error", "output error");
  for (const auto& [name, layer] : model.layers()) {
    const bitpq::code_format& format = layer.weight.format();
    const bitpq::size_report size = layer.weight.size();
    const layer_note note = foreseen ? layer_note{} : note_of(model.metadata(), name);
    std::printf("%-*s  %-26s %4zu %6zu %5s %11.3f %10zu %12s %12s\n", width, name.c_str(),
                shape_text(layer.geometry).c_str(), format.block_size, format.codewords,
                to_string(layer.weight.book().type()), size.bits_per_weight(), size.bytes(),
                error_text(note.weight_error).c_str(), error_text(note.output_error).c_str());
  }
}

inline void print_paper_size(std::size_t paper, const file_bytes& file) {
  const auto megabytes = [](std::size_t bytes) { return static_cast<double>(bytes) / 0x1p20; };
  const double more = static_cast<double>(file.total) / static_cast<double>((std::max)(paper, std::size_t{1})) - 1;
  std::printf(
      "as the paper counts: %zu bytes, %.3f MB; this file: %s%zu bytes, %.3f MB, %+.2f %% (1 MB = 2^20 bytes)\n", paper,
      megabytes(paper), file.foreseen ? "at most " : "", file.total, megabytes(file.total), 100 * more);
}

}  // namespace detail

template <bitpq::scalar T>
void print_model(const bitpq::compressed_model<T>& model, const file_bytes& file) {
  detail::print_layers(model, file.foreseen);
  detail::print_paper_size(paper_bytes(model), file);
  const bitpq::model_size size = model.size();
  std::printf("%zu layers: %zu weights in %zu bytes, %.3f bits per weight\n", model.layers().size(),
              size.layers.weights, size.layers.bytes(), size.layers.bits_per_weight());
  std::printf("%zu other tensors: %zu values in %zu bytes\n", model.tensors().size(), size.dense_values,
              size.dense_bits / 8);
  const char* const most = file.foreseen ? "at most " : "";
  std::printf("header: %s%zu bytes; file: %s%zu bytes\n", most, file.header, most, file.total);
}

}  // namespace cli
