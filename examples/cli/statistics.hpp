// SPDX-License-Identifier: Apache-2.0
#pragma once

// Second moments of layers' inputs, as a host has measured them: a safetensors file with a tensor "<layer>.gram" of
// groups x cols x cols elements for each weight. docs/python.md shows how one is made.

#include "cli/checkpoint.hpp"

#include <bitpq/quantize/importance.hpp>

#include <set>

namespace cli {

class statistics_file {
 public:
  explicit statistics_file(const std::filesystem::path& path) : file_(path) {}

  [[nodiscard]] const std::string& name() const noexcept { return file_.name(); }

  /// The groups that the statistics of weight `weight` of that shape are of; 0 when there are none. "<layer>" is the
  /// weight's name with or without its ".weight". Throws bad_shape, naming tensor and shapes, when they are of a layer
  /// of another size.
  [[nodiscard]] std::size_t groups_of(const bitpq::tensor_view& weight);

  /// The statistics of a weight that has some. Throws, naming the tensor, as bitpq::importance does: non_finite, or
  /// bad_params for moments that are not symmetric.
  [[nodiscard]] bitpq::importance load(const bitpq::tensor_view& weight) const;

  /// Tensors ".gram" that no call of groups_of asked for.
  [[nodiscard]] std::vector<std::string> unused() const;

 private:
  [[nodiscard]] const bitpq::tensor_view* tensor_of(const bitpq::tensor_view& weight) const;

  checkpoint file_;
  std::set<std::string> used_;
};

}  // namespace cli
