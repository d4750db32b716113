// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the trials came to: a table, JSON, and accuracy against bytes as a picture.

#include "imagenette/trial.hpp"

namespace imagenette {

struct run_report {
  std::string commit;
  std::size_t threads = 1, calibration_images = 0, evaluation_images = 0, steps = 0, batch = 0, parameters = 0;
  std::size_t peak_memory = 0;  ///< bytes, of the process
  double seconds = 0;
  std::vector<trial_result> trials;
};

void print_table(const run_report& report);

/// Writes `file` anew, all or nothing. Throws bitpq::error (io_failure).
void write_json(const run_report& report, const std::filesystem::path& file);
void write_curve(const run_report& report, const std::filesystem::path& file);

}  // namespace imagenette
