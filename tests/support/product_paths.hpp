// SPDX-License-Identifier: Apache-2.0
#pragma once

// The paths that serve a product, for tests that try them all.

#include <bitpq/gemm/plan.hpp>

#include <limits>
#include <vector>

namespace bitpq_test {

/// All paths that a plan found to serve, and automatic.
inline std::vector<bitpq::gemm_path> paths_of(const bitpq::gemm_plan& plan) {
  std::vector<bitpq::gemm_path> paths{bitpq::gemm_path::automatic};
  for (std::size_t i = 0; i < plan.cost.size(); ++i)
    if (plan.cost[i] < std::numeric_limits<double>::infinity()) paths.push_back(bitpq::all_gemm_paths[i]);
  return paths;
}

}  // namespace bitpq_test
