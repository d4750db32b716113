// SPDX-License-Identifier: Apache-2.0
#pragma once

// Sizes for layers, so that file and running time stay within a budget and the errors add up to the least.

#include "cli/layer_jobs.hpp"

#include <bitpq/core/executor.hpp>
#include <bitpq/io/compressed_model.hpp>

#include <optional>

namespace cli {

struct file_budget {
  std::optional<std::size_t> bytes{};  ///< of the file
  std::optional<double> cycles{};      ///< of a core of this machine, for a product of each layer with
  std::size_t columns = 1;             ///< so many columns

  [[nodiscard]] bool any() const noexcept { return bytes || cycles; }
};

/// Sets block size and codewords of the jobs, as far as no rule fixes them, so that the budget is kept. Measures every
/// candidate by a short training. `rest` is all that the file holds beside them. Throws bad_params with the smallest
/// size, or number of cycles, that can be reached.
void fit_to_budget(std::vector<layer_job>& jobs, const bitpq::compressed_model<float>& rest,
                   const statistics_file* statistics, const file_budget& budget, bitpq::executor_ref exec);

}  // namespace cli
