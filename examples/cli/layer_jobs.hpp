// SPDX-License-Identifier: Apache-2.0
#pragma once

// Which tensors of a checkpoint are compressed, as what layer, and with which parameters.

#include "cli/rules.hpp"
#include "cli/statistics.hpp"

#include <functional>

namespace cli {

struct layer_job {
  const bitpq::tensor_view* weight = nullptr;
  bitpq::layer_geometry
      geometry;  ///< stride 1 and no padding: a checkpoint does not tell, and compression does not ask
  bitpq::pq_params params;
  bool statistics = false;
  bool free_d = true, free_k = true;  ///< not fixed by a rule

  [[nodiscard]] std::size_t weights() const noexcept { return geometry.rows() * geometry.cols(); }
};

/// The weight as numbers, rows x cols. Throws non_finite, naming the tensor, for what float cannot hold.
[[nodiscard]] std::vector<float> values_of(const layer_job& job);

/// What `say` is told: words for people.
using teller = std::function<void(const std::string&)>;

/// Jobs for all 2-D and 4-D tensors of floating-point numbers that a rule names, or, where none does, whose name ends
/// in "weight"; `fallback` serves where a rule names no preset. Those that would not get smaller are left out, and told
/// of, as are rules that match nothing and statistics of no weight. Statistics of another layer's size are an error.
[[nodiscard]] std::vector<layer_job> find_jobs(const checkpoint& source, const std::vector<rule>& rules,
                                               bitpq::preset fallback, std::uint64_t seed, statistics_file* statistics,
                                               const teller& say);

}  // namespace cli
