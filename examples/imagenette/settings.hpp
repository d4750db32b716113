// SPDX-License-Identifier: Apache-2.0
#pragma once

// How small, and by which schedule.

#include <bitpq/train/network_params.hpp>

#include <string>
#include <vector>

namespace imagenette {

/// Block sizes of layers with windows and of 1 x 1 layers. The classifier has blocks of 4, the first layer stays dense.
struct setting {
  std::string name;
  std::size_t window, pointwise;
  bitpq::codeword_type storage = bitpq::codeword_type::f16;
  bitpq::preset preset = bitpq::preset::best;

  [[nodiscard]] bitpq::pq_params params(const bitpq::layer_geometry& geometry, bitpq::preset which) const {
    const bool classifier = geometry.type == bitpq::layer_geometry::kind::linear;
    bitpq::pq_params params = bitpq::params_of(which, geometry);
    params.block_size = classifier ? 4 : geometry.window() > 1 ? window : pointwise;
    if (classifier) params.codewords = 2048;  // as many as it can carry: fewer, see pq_params::limit
    params.storage = storage;
    return params;
  }
};

inline const std::vector<setting>& settings() {
  static const std::vector<setting> all{
      {"9/4", 9, 4},
      {"18/4", 18, 4},
      {"36/8", 36, 8, bitpq::codeword_type::i8},
      {"quick-to-run", 9, 8, bitpq::codeword_type::f16, bitpq::preset::quick_to_run},
  };
  return all;
}

/// A share of the steps goes to each layer alone: none of ours, for compressing towards the teacher's outputs does as
/// much; half of the paper's, in equal parts.
inline bitpq::network_params schedule(const setting& sizes, bool paper, std::size_t steps, std::size_t layers,
                                      std::uint64_t seed) {
  bitpq::network_params params;
  params.layer = [=](std::size_t, const bitpq::network_layer& layer) {
    bitpq::pq_params one = sizes.params(layer.geometry, paper ? bitpq::preset::paper : sizes.preset);
    if (paper) one.codewords = sizes.params(layer.geometry, sizes.preset).codewords;
    one.seed = seed;
    return one;
  };
  params.calibration.teacher_targets = !paper;
  const auto tune = [](bitpq::tuning_params& phase, std::size_t n) {
    phase.steps = n;
    if (n > 0) phase.rate = bitpq::cosine_schedule{1e-4, n, 0, n / 10};
  };
  const std::size_t each = paper ? steps / 2 / layers : 0;
  tune(params.layer_tuning, each);
  tune(params.global_tuning, steps - each * layers);
  return params;
}

}  // namespace imagenette
