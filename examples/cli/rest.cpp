// SPDX-License-Identifier: Apache-2.0

#include "cli/rest.hpp"
#include "cli/context.hpp"
#include "cli/layer_note.hpp"
#include "cli/number_types.hpp"

namespace cli {

using bitpq::dtype;

namespace {

/// The tensor, its numbers rounded to `type` where they are of a wider one.
bitpq::dense_tensor stored(const bitpq::tensor_view& tensor, std::optional<dtype> type) {
  if (!type || !is_number(tensor.type) || bits_of(tensor.type) <= bits_of(*type))
    return {tensor.type, tensor.shape, {tensor.bytes.begin(), tensor.bytes.end()}};
  return in_context("tensor '" + tensor.name + "'", [&] {
    const std::vector<double> values = bitpq::decode_values<double>(tensor.type, tensor.bytes);
    return bitpq::dense_tensor{*type, tensor.shape, bitpq::encode_values<double>(*type, values)};
  });
}

}  // namespace

bitpq::compressed_model<float> model_of_the_rest(const checkpoint& source, const std::vector<layer_job>& jobs,
                                                 std::optional<dtype> type, bool notes) {
  bitpq::compressed_model<float> model;
  for (const auto& [key, value] : source.metadata()) model.set_metadata(key, value);
  const bool noted = type && notes;
  if (noted) model.set_metadata(std::string(rest_note_key), to_text(layer_note{}));
  const auto is_layer = [&](const bitpq::tensor_view* tensor) {
    return std::any_of(jobs.begin(), jobs.end(), [&](const layer_job& job) { return job.weight == tensor; });
  };
  for (const bitpq::tensor_view* const tensor : source.tensors()) {
    if (is_layer(tensor)) continue;
    model.add_tensor(tensor->name, stored(*tensor, type));
    if (noted && is_number(tensor->type) && tensor->type != layer_note{}.type)
      model.set_metadata(std::string(note_key) + tensor->name, to_text(layer_note{.type = tensor->type}));
  }
  return model;
}

}  // namespace cli
