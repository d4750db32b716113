// SPDX-License-Identifier: Apache-2.0
#pragma once

// Combinations of options with a name.

#include <bitpq/quantize/pq_params.hpp>

#include <string_view>

namespace bitpq {
inline namespace v1 {

enum class preset {
  paper,         ///< Stock et al. 2020, section 3: shared Gram matrix, random seeding, 100 iterations
  fast,          ///< codebook in the feedback metric, error feedback
  best,          ///< and three rounds of least squares and coordinate descent
  quick_to_run,  ///< as best, with codebooks small enough for look-up tables to pay on layers with few outputs
};

inline constexpr preset all_presets[] = {preset::paper, preset::fast, preset::best, preset::quick_to_run};

constexpr std::string_view to_string(preset p) noexcept {
  switch (p) {
    case preset::paper: return "paper";
    case preset::fast: return "fast";
    case preset::best: return "best";
    case preset::quick_to_run: return "quick-to-run";
  }
  return "unknown";
}

/// The preset of that name. Throws bad_params, naming those there are.
[[nodiscard]] inline preset preset_of(std::string_view name) {
  for (const preset p : all_presets)
    if (to_string(p) == name) return p;
  fail(errc::bad_params, "no preset is called \"", name, "\"; there are paper, fast, best and quick-to-run");
}

/// Options of a preset for a layer; block size and codewords are those of small blocks: a window or 4, 256 or fewer.
[[nodiscard]] inline pq_params params_of(preset p, const layer_geometry& geometry) {
  pq_params params;
  params.block_size = suggested_block_size(geometry);
  params.tolerance = 0;
  if (p == preset::paper) {
    params.seeding = seeding_method::random;
    return params;
  }
  params.metric = pq_metric::feedback;
  params.max_iterations = 20;
  params.refinement.error_feedback = true;
  if (p == preset::fast) return params;
  params.damping = 0.03;
  params.refinement.rounds = 3;
  params.refinement.least_squares_steps = 6;
  params.refinement.descent_sweeps = 2;
  if (p == preset::quick_to_run) {
    // Tables are built per codeword and looked up per output: a codeword for every 4 outputs or more keeps both cheap.
    const std::size_t rows = geometry.rows() / geometry.groups();
    params.codewords = rows <= 64 ? 16 : rows <= 128 ? 32 : 64;
  }
  return params;
}

}  // namespace v1
}  // namespace bitpq
