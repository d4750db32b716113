// SPDX-License-Identifier: Apache-2.0
#pragma once

// Networks whose codes are drawn at random, in the formats in which real ones are published. Random codes are the
// slowest: a position of blocks uses more codewords than that of a network which was trained.

#include "engine/architectures.hpp"
#include "engine/weights.hpp"
#include "support/random_layer.hpp"

#include <bitpq/quantize/presets.hpp>

#include <cmath>
#include <string>

namespace bench {

/// A network and the format of its layers.
struct network_setting {
  std::string name;  ///< as in rows: resnet50-large
  std::size_t depth;
  bitpq::code_format (*format_of)(const bitpq::layer_geometry&, std::size_t depth);
  std::string published{};  ///< the name of the authors' file, if they published one
};

/// Blocks and codewords of the paper's settings: as many codewords as a quarter of the layer's blocks, at most, rounded
/// down to a power of two.
inline bitpq::code_format paper_format(const bitpq::layer_geometry& g, std::size_t block, std::size_t codewords) {
  const std::size_t vectors = g.rows() * g.cols() / block;
  while (codewords >= vectors / 4) codewords /= 2;
  return {g.rows(), g.cols(), block, codewords, 1};
}

inline bitpq::code_format small_blocks(const bitpq::layer_geometry& g, std::size_t depth) {
  if (g.type == bitpq::layer_geometry::kind::linear) return paper_format(g, 4, depth < 50 ? 2048 : 1024);
  return paper_format(g, g.window() == 9 ? 9 : 4, 256);
}

inline bitpq::code_format large_blocks(const bitpq::layer_geometry& g, std::size_t depth) {
  if (g.type == bitpq::layer_geometry::kind::linear) return small_blocks(g, depth);
  return paper_format(g, g.window() == 9 ? 18 : depth < 50 ? 4 : 8, 256);
}

/// Large blocks and the codewords of the preset quick-to-run.
inline bitpq::code_format quick_blocks(const bitpq::layer_geometry& g, std::size_t) {
  const std::size_t words = bitpq::params_of(bitpq::preset::quick_to_run, g).codewords;
  return {g.rows(), g.cols(), g.window() == 9 ? std::size_t{18} : std::size_t{8}, words, 1};
}

/// Bits of the paper's count: codes, codewords as halves, all the rest in full; against all in full.
struct network_bits {
  std::size_t compressed = 0, dense = 0;
};

/// Random codes for all layers but the first, which is dense. Rows have scales, as where batch norm was folded, so that
/// what passes keeps its size; what is added to a residual is kept small.
inline engine::layer_weights generated_layer(const engine::node& step, const network_setting& setting) {
  const bitpq::layer_geometry& g = step.geometry;
  const float gain = (step.inputs.size() > 1 ? 0.3F : 1.0F) * std::sqrt(2.0F / static_cast<float>(g.cols()));
  std::vector<float> bias = gaussian(g.rows(), 5);
  for (float& b : bias) b *= 0.1F;
  if (g.window() == 49) {
    std::vector<float> weights = gaussian(g.rows() * g.cols(), 6);
    for (float& w : weights) w *= gain;
    return {std::move(weights), std::move(bias)};
  }
  const bitpq::pq_matrix<float> codes = random_codes(setting.format_of(g, setting.depth));
  return {bitpq::pq_matrix<float>(g.rows(), g.cols(), codes.book(), codes.codes(), 1,
                                  bitpq::row_scales<float>(std::vector<float>(g.rows(), gain))),
          std::move(bias)};
}

inline network_bits bits_of(const engine::graph& structure, const network_setting& setting) {
  network_bits bits;
  for (const engine::node& step : structure.nodes) {
    if (step.type != engine::node::kind::layer) continue;
    const bitpq::layer_geometry& g = step.geometry;
    const std::size_t values = g.rows() * g.cols();
    const std::size_t rest = 32 * (step.norm.empty() ? 1 : 2) * g.rows();
    bits.dense += 32 * values + rest;
    bits.compressed += rest;
    if (g.window() == 49)
      bits.compressed += 32 * values;
    else
      bits.compressed += size_of(setting.format_of(g, setting.depth), bitpq::codeword_type::f16).total_bits();
  }
  return bits;
}

}  // namespace bench
