// SPDX-License-Identifier: Apache-2.0
#pragma once

// Compresses the demo's network, keeps it as a file holds it, and says what happened to each layer.

#include "engine/progress_bar.hpp"
#include "engine/sequential.hpp"
#include "fashion_mnist/network.hpp"

namespace fashion_mnist {

/// What happened to one layer.
struct layer_result {
  std::string name;
  std::size_t dense_bytes = 0;
  bitpq::layer_report report;
  double heldout_error = 0;  ///< output error on images that were not used for calibration
};

struct compressed_network {
  bitpq::compressed_model<float> model;
  std::vector<layer_result> layers;
};

/// Unlabelled images for calibration, and others to measure the output error on.
struct calibration_images {
  const image_set* images = nullptr;
  std::size_t count = 0;
  std::size_t heldout = 0;  ///< right after the first `count`

  /// Batches of images first .. first + n.
  [[nodiscard]] engine::image_source source(std::size_t first, std::size_t n) const {
    return {n, [set = images, first](std::size_t at, std::size_t size) { return batch_of(*set, first + at, size); }};
  }
};

/// A codeword is a 3 x 3 kernel, or four inputs of a 1 x 1 or linear layer; there are up to 256 of them.
/// docs/adr/0009-demo-settings.md has the figures.
inline bitpq::pq_params settings_for(const bitpq::layer_geometry& geometry, bool preserve_outputs) {
  bitpq::pq_params params = bitpq::params_of(bitpq::preset::best, geometry);
  if (!preserve_outputs) {
    params.metric = bitpq::pq_metric::weights;
    params.refinement = {};
    params.max_iterations = 100;
  }
  return params;
}

/// Every layer but the stem (288 weights that all the rest depends on): towards the teacher's outputs, or by plain
/// k-means on the weights, at the same size.
inline compressed_network compress(const engine::network& original, bool preserve_outputs,
                                   const calibration_images& data, std::uint64_t seed, bitpq::executor_ref exec,
                                   const std::string& title) {
  const engine::layer_choice all_but_stem = [](const engine::node& step) { return step.name != "conv1"; };
  engine::sequential_options options;
  options.statistics = options.teacher_targets = options.correct_bias = preserve_outputs;
  compressed_network result;
  engine::progress_bar bar(title, engine::count_layers(original.structure(), all_but_stem));
  const engine::network student = engine::compress_layers(
      original, data.source(0, data.count), all_but_stem, options, exec, [&](const engine::layer_turn& turn) {
        bitpq::pq_params params = settings_for(turn.step.geometry, preserve_outputs);
        params.seed = seed;
        auto layer = bitpq::compress<float>(turn.step.geometry, turn.weights, turn.inputs, params, exec);
        result.model.add_layer(turn.step.name + ".weight", turn.step.geometry, layer.weights);
        result.layers.push_back({turn.step.name, 4 * turn.weights.size(), layer.report});
        bar.advance(1, turn.step.name);
        return std::move(layer.weights);
      });
  auto report = result.layers.begin();
  engine::observe_layers(student, data.source(data.count, data.heldout), all_but_stem, options, exec,
                         [&](const engine::node& step, const bitpq::importance& heldout) {
                           report++->heldout_error = bitpq::relative_output_error<float>(
                               original.at(step.name).dense_weights(), result.model.layer(step.name + ".weight").weight,
                               heldout, exec);
                         });
  for (const engine::node& step : student.structure().nodes)
    if (step.type == engine::node::kind::layer)
      result.model.add_tensor(step.name + ".bias", {step.geometry.out_channels}, student.at(step.name).bias(),
                              bitpq::dtype::f16);
  const bitpq::matrix_view<const float> stem = original.at("conv1").dense_weights();
  result.model.add_tensor("conv1.weight", {stem.rows(), 1, 3, 3}, {stem.data_handle(), stem.size()}, bitpq::dtype::f16);
  return result;
}

}  // namespace fashion_mnist
