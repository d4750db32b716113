// SPDX-License-Identifier: Apache-2.0

#include "cli/statistics.hpp"
#include "cli/context.hpp"

namespace cli {

using bitpq::detail::listed;
using bitpq::detail::quoted;

namespace {

constexpr std::string_view weight_suffix = ".weight", gram_suffix = ".gram";

/// Columns of the weight matrix.
std::size_t columns_of(const bitpq::tensor_view& weight) {
  std::size_t columns = 1;
  for (std::size_t i = 1; i < weight.shape.size(); ++i) columns *= weight.shape[i];
  return columns;
}

}  // namespace

const bitpq::tensor_view* statistics_file::tensor_of(const bitpq::tensor_view& weight) const {
  std::string_view layer = weight.name;
  if (const bitpq::tensor_view* const own = file_.find(weight.name + std::string(gram_suffix))) return own;
  if (!layer.ends_with(weight_suffix)) return nullptr;
  layer.remove_suffix(weight_suffix.size());
  return file_.find(std::string(layer) + std::string(gram_suffix));
}

std::size_t statistics_file::groups_of(const bitpq::tensor_view& weight) {
  const bitpq::tensor_view* const gram = tensor_of(weight);
  if (gram == nullptr) return 0;
  used_.insert(gram->name);
  const std::size_t rows = weight.shape[0], cols = columns_of(weight);
  const bool fits = gram->shape.size() == 3 && gram->shape[1] == cols && gram->shape[2] == cols && gram->shape[0] > 0 &&
                    rows % gram->shape[0] == 0 && (weight.shape.size() == 4 || gram->shape[0] == 1);
  bitpq::require(fits, bitpq::errc::bad_shape, name(), ": tensor ", quoted{gram->name}, " has shape ",
                 listed{gram->shape}, ", but weight ", quoted{weight.name}, " of shape ", listed{weight.shape},
                 " needs [", weight.shape.size() == 4 ? "groups" : "1", ", ", cols, ", ", cols, "]");
  return gram->shape[0];
}

bitpq::importance statistics_file::load(const bitpq::tensor_view& weight) const {
  const bitpq::tensor_view* const gram = tensor_of(weight);
  return in_context(name() + ": tensor '" + gram->name + "'", [&] {
    const std::vector<double> values = bitpq::decode_values<double>(gram->type, gram->bytes);
    return bitpq::importance(gram->shape[0], gram->shape[1], bitpq::aligned_buffer<double>(std::span(values)));
  });
}

std::vector<std::string> statistics_file::unused() const {
  std::vector<std::string> names;
  for (const bitpq::tensor_view* const tensor : file_.tensors())
    if (tensor->name.ends_with(gram_suffix) && !used_.contains(tensor->name)) names.push_back(tensor->name);
  return names;
}

}  // namespace cli
