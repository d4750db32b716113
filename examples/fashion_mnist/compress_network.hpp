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

struct network_settings {
  bool preserve_outputs = true;  ///< else plain k-means on the weights
  std::size_t block = 6;         ///< elements of a codeword of 3 x 3 layers; docs/adr/0009-demo-settings.md has figures
  std::uint64_t seed = 0;
};

/// Up to 256 codewords; of 1 x 1 and linear layers, of four inputs each.
inline bitpq::pq_params params_of(const bitpq::layer_geometry& geometry, const network_settings& settings) {
  bitpq::pq_params params = bitpq::params_of(bitpq::preset::best, geometry);
  if (geometry.kernel.h == 3) params.block_size = settings.block;
  params.seed = settings.seed;
  if (!settings.preserve_outputs) {
    params.metric = bitpq::pq_metric::weights;
    params.refinement = {};
    params.max_iterations = 100;
  }
  return params;
}

/// Every layer but the stem: 288 weights that all the rest depends on.
inline bool all_but_stem(const engine::node& step) { return step.name != "conv1"; }

/// Towards the teacher's outputs, or by plain k-means on the weights, at the same size.
inline bitpq::network_params params_of(const network_settings& settings) {
  bitpq::network_params params;
  params.layer = [=](std::size_t, const bitpq::network_layer& layer) { return params_of(layer.geometry, settings); };
  params.calibration.statistics = params.calibration.teacher_targets = settings.preserve_outputs;
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
