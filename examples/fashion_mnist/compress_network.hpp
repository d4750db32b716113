// SPDX-License-Identifier: Apache-2.0
#pragma once

// Compresses the demo's network, keeps it as a file holds it, and says what happened to each layer.

#include "engine/distillation.hpp"
#include "engine/network_progress.hpp"
#include "engine/student_model.hpp"
#include "fashion_mnist/network.hpp"

#include <bitpq/train/compress_network.hpp>

namespace fashion_mnist {

/// What happened to one layer.
struct layer_result {
  std::string name;
  std::size_t dense_bytes = 0;
  bitpq::layer_report report;
  double heldout_error = 0;  ///< output error on images that were not used for calibration
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

/// A codeword is two thirds of a 3 x 3 kernel, or four inputs of a 1 x 1 or linear layer; there are up to 256 of them.
/// docs/adr/0009-demo-settings.md has the figures.
inline bitpq::pq_params settings_for(const bitpq::layer_geometry& geometry, bool preserve_outputs) {
  bitpq::pq_params params = bitpq::params_of(bitpq::preset::best, geometry);
  if (geometry.kernel.h == 3) params.block_size = 6;
  if (!preserve_outputs) {
    params.metric = bitpq::pq_metric::weights;
    params.refinement = {};
    params.max_iterations = 100;
  }
  return params;
}

/// Every layer but the stem: 288 weights that all the rest depends on.
inline bool all_but_stem(const engine::node& step) { return step.name != "conv1"; }

/// Towards the teacher's outputs, or by plain k-means on the weights, at the same size.
inline bitpq::network_params network_settings(bool preserve_outputs, std::uint64_t seed) {
  bitpq::network_params params;
  params.layer = [=](std::size_t, const bitpq::network_layer& layer) {
    bitpq::pq_params one = settings_for(layer.geometry, preserve_outputs);
    one.seed = seed;
    return one;
  };
  params.calibration.statistics = params.calibration.teacher_targets = preserve_outputs;
  return params;
}

/// What became of the layers, on images that the student was not calibrated with.
inline std::vector<layer_result> results_of(engine::student& student, const bitpq::network_report& report,
                                            const calibration_images& data, bitpq::executor_ref exec) {
  std::vector<layer_result> results;
  engine::observe_layers(
      student.net(), data.source(data.count, data.heldout), all_but_stem, 64, exec,
      [&](const engine::node& step, const bitpq::importance& heldout) {
        const std::size_t i = results.size();
        const bitpq::matrix_view<const float> dense = student.weights(i);
        results.push_back({step.name, 4 * dense.size(), report.layers[i].compression,
                           bitpq::relative_output_error<float>(dense, *student.codes(i), heldout, exec)});
      });
  return results;
}

}  // namespace fashion_mnist
