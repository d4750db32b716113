// SPDX-License-Identifier: Apache-2.0
#pragma once

// What is compared: ways of compressing a layer, each at the same block sizes and codebooks.

#include <bitpq/quantize/presets.hpp>

#include <string>
#include <vector>

namespace quality {

struct method {
  std::string name;
  bitpq::pq_params (*params)(const bitpq::layer_geometry&);  ///< sizes are filled in by the setting
  bool statistics = true;                                    ///< whether it wants second moments of the layer's inputs
  bool correct_bias = false;                                 ///< whether biases are moved to the teacher's mean outputs
  bool teacher_targets = false;  ///< whether layers are to compute the teacher's outputs from the student's inputs
};

template <bitpq::preset Preset>
bitpq::pq_params params_of(const bitpq::layer_geometry& geometry) {
  return bitpq::params_of(Preset, geometry);
}

/// The paper's k-means on the weights alone.
inline bitpq::pq_params plain(const bitpq::layer_geometry& geometry) {
  bitpq::pq_params params = bitpq::params_of(bitpq::preset::paper, geometry);
  params.metric = bitpq::pq_metric::weights;
  return params;
}

/// As `fast`, the codebook in the metric of each block's own Gram matrix and no feedback.
inline bitpq::pq_params block_gram(const bitpq::layer_geometry& geometry) {
  bitpq::pq_params params = bitpq::params_of(bitpq::preset::fast, geometry);
  params.metric = bitpq::pq_metric::block_gram;
  params.refinement.error_feedback = false;
  return params;
}

/// As `fast`, and least squares on the codewords.
inline bitpq::pq_params least_squares(const bitpq::layer_geometry& geometry) {
  bitpq::pq_params params = bitpq::params_of(bitpq::preset::fast, geometry);
  params.refinement.rounds = 1;
  params.refinement.descent_sweeps = 0;
  return params;
}

inline const std::vector<method>& methods() {
  static const std::vector<method> all{
      {"plain", plain, false},
      {"paper", params_of<bitpq::preset::paper>},
      {"block-gram", block_gram},
      {"fast", params_of<bitpq::preset::fast>},
      {"least-squares", least_squares},
      {"best", params_of<bitpq::preset::best>},
      {"best-bias", params_of<bitpq::preset::best>, true, true},
      {"best-target", params_of<bitpq::preset::best>, true, true, true},
  };
  return all;
}

/// Block sizes by kind of layer, and how codewords are stored. Classifiers always have blocks of 4 and up to 2048
/// codewords, everything else up to 256.
struct setting {
  std::string name;
  std::size_t window, pointwise;
  bitpq::codeword_type storage = bitpq::codeword_type::f16;

  void apply(const bitpq::layer_geometry& geometry, bool classifier, bitpq::pq_params& params) const {
    params.block_size = classifier ? 4 : geometry.window() > 1 ? window : pointwise;
    params.codewords = classifier ? 2048 : 256;
    params.storage = storage;
  }
};

inline const std::vector<setting>& settings() {
  static const std::vector<setting> all{
      {"9/4", 9, 4},
      {"18/4", 18, 4},
      {"36/8", 36, 8, bitpq::codeword_type::i8},
  };
  return all;
}

}  // namespace quality
