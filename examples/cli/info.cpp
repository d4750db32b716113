// SPDX-License-Identifier: Apache-2.0

#include "cli/commands.hpp"
#include "cli/model_table.hpp"
#include "cli/preparation.hpp"

#include <bitpq/io/model.hpp>
#include <bitpq/quantize/operating_points.hpp>

namespace cli {

namespace {

/// Codes and codebooks of zeros, of the sizes that compressing the layer comes to.
bitpq::pq_matrix<float> placeholder(const layer_job& job) {
  const bitpq::code_format format = bitpq::format_of(job.geometry, job.params);
  const std::vector<float> words(format.books() * format.codewords * format.block_size);
  const std::vector<std::uint16_t> codes(format.codes());
  bitpq::codebook<float> book(words, format.books(), format.codewords, format.block_size, job.params.storage);
  return {format.rows, format.cols, std::move(book), bitpq::packed_codes(format.code_bits(), codes), format.stages};
}

/// A note as long as those of errors down to 1e-9 are at most.
layer_note longest_note(const layer_job& job) {
  constexpr double longest = 1.234e-5;
  layer_note note{job.weight->type, {}, longest};
  if (job.statistics) note.output_error = longest;
  return note;
}

}  // namespace

void info(const std::filesystem::path& input) {
  const bitpq::safetensors_reader file(input);
  print_model(bitpq::load_model<double>(file), {file.header_bytes(), file.file_bytes()});
}

void foresee(const compress_options& options) {
  preparation prepared(options);
  bitpq::compressed_model<float>& model = prepared.rest;
  for (const layer_job& job : prepared.jobs) {
    const std::string& name = job.weight->name;
    model.add_layer(name, job.geometry, placeholder(job));
    if (options.notes) model.set_metadata(std::string(note_key) + name, to_text(longest_note(job)));
  }
  const std::size_t header = bitpq::header_bytes(model), bytes = header + model.size().bytes();
  print_model(model, {header, bytes, true});
  std::printf("%.1f times smaller than %s, or more\n",
              static_cast<double>(prepared.source.file_bytes()) / static_cast<double>(bytes),
              prepared.source.name().c_str());
}

}  // namespace cli
