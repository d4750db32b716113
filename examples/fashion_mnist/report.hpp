// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the demo found out, in the three forms people want it: a table, JSON, and a picture.

#include "fashion_mnist/compress_network.hpp"
#include "fashion_mnist/evaluate.hpp"

#include <optional>
#include <string>
#include <vector>

namespace fashion_mnist {

struct demo_report {
  std::string commit;
  std::string isa;
  std::size_t threads = 1, batch = 0, calibration_images = 0, test_images = 0;
  std::uint64_t seed = 0;
  evaluation teacher, student, control;
  std::size_t parameters = 0;
  std::size_t file_bytes = 0, control_bytes = 0;
  double compress_seconds = 0;
  std::optional<double> finetune_seconds;  ///< nothing where codewords were not tuned
  std::size_t finetune_steps = 0;
  evaluation untuned;                        ///< the student before its codewords were tuned, where they were
  std::vector<layer_result> layers;          ///< of the student
  std::vector<layer_result> control_layers;  ///< of plain k-means on the weights, at the same size

  [[nodiscard]] std::size_t dense_bytes() const noexcept { return 4 * parameters; }
  [[nodiscard]] double ratio() const noexcept {
    return static_cast<double>(dense_bytes()) / static_cast<double>(file_bytes);
  }
};

/// A row per layer, then the totals, on standard output.
void print_table(const demo_report& report);

/// Writes `path` anew, all or nothing. Throws bitpq::error (io_failure).
void write_json(const demo_report& report, const std::string& path);

/// Draws size and output error per layer. Throws bitpq::error (io_failure).
void write_svg(const demo_report& report, const std::string& path);

}  // namespace fashion_mnist
