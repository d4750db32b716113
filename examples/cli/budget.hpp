// SPDX-License-Identifier: Apache-2.0
#pragma once

// Sizes for layers, so that the file stays within a budget and the errors add up to the least.

#include "cli/layer_jobs.hpp"

#include <bitpq/core/executor.hpp>

namespace cli {

/// Sets block size and codewords of the jobs, as far as no rule fixes them, for a file of at most `budget` bytes.
/// Measures every candidate by a short training. Throws bad_params with the smallest reachable size.
void fit_to_budget(std::vector<layer_job>& jobs, const checkpoint& source, const statistics_file* statistics,
                   std::size_t budget, bitpq::executor_ref exec);

}  // namespace cli
