// SPDX-License-Identifier: Apache-2.0
#pragma once

// Compresses a network layer by layer, from input to output. Each layer is calibrated on what it will really see: the
// activations of the student, in which everything before it is compressed already.

#include "engine/progress_bar.hpp"
#include "fashion_mnist/network.hpp"

#include <bitpq/io/model.hpp>
#include <bitpq/pq.hpp>

#include <optional>

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
};

/// Calls see(input) with the inputs that `layer` gets in `net` on images first .. first + count, batch by batch.
template <class See>
void for_each_input(const network& net, const std::string& layer, const image_set& images, std::size_t first,
                    std::size_t count, bitpq::executor_ref exec, const See& see) {
  constexpr std::size_t batch = 128;
  for (std::size_t i = first; i < first + count; i += batch)
    static_cast<void>(net.forward(batch_of(images, i, std::min(batch, first + count - i)), exec,
                                  [&](const std::string& name, const engine::tensor& input) {
                                    if (name != layer) return true;
                                    see(input);
                                    return false;
                                  }));
}

/// Second moments of the inputs that `layer` sees in `net` on images first .. first + count.
inline bitpq::importance observe_inputs(const network& net, const layer_spec& layer, const image_set& images,
                                        std::size_t first, std::size_t count, bitpq::executor_ref exec) {
  bitpq::gram_accumulator moments(layer.geometry);
  for_each_input(net, layer.name, images, first, count, exec, [&](const engine::tensor& input) {
    if (layer.geometry.type == bitpq::layer_geometry::kind::linear)
      moments.add(bitpq::matrix_view<const float>(input.data(), input.batch(), input.channels()).transposed(), exec);
    else
      moments.add(input.view(), exec);
  });
  return moments.finish();
}

/// Mean of each output of `layer` in `net`, before activation and residual, on the calibration images.
inline std::vector<double> mean_outputs(const network& net, const std::string& layer, const calibration_images& data,
                                        bitpq::executor_ref exec) {
  std::vector<double> sums(net.at(layer).geometry().out_channels);
  double pixels = 0;
  for_each_input(net, layer, *data.images, 0, data.count, exec, [&](const engine::tensor& input) {
    const engine::tensor y = net.at(layer).run(input, false, exec);
    const std::size_t plane = y.size().h * y.size().w;
    for (std::size_t map = 0; map < y.batch() * y.channels(); ++map)
      for (std::size_t p = 0; p < plane; ++p) sums[map % sums.size()] += static_cast<double>(y.data()[map * plane + p]);
    pixels += static_cast<double>(y.batch() * plane);
  });
  for (double& sum : sums) sum /= pixels;
  return sums;
}

/// The bias with which the compressed layer's mean outputs are those of the teacher: what the layers so far have
/// shifted on average is put right for nothing.
inline std::vector<float> corrected_bias(const network& original, const network& student, const std::string& layer,
                                         const calibration_images& data, bitpq::executor_ref exec) {
  const std::vector<double> wanted = mean_outputs(original, layer, data, exec);
  const std::vector<double> got = mean_outputs(student, layer, data, exec);
  std::vector<float> bias = student.at(layer).bias();
  for (std::size_t c = 0; c < bias.size(); ++c) bias[c] += static_cast<float>(wanted[c] - got[c]);
  return bias;
}

/// Block size and codebook of a layer: a codeword is one row of a 3 x 3 kernel, or two inputs of a 1 x 1 or linear
/// layer. The widest layers hold three quarters of the weights and bear the smallest codes; there a codebook of 32 also
/// makes look-up tables pay. docs/adr/0009-demo-settings.md has the figures.
inline bitpq::pq_params settings_for(const bitpq::layer_geometry& geometry) {
  bitpq::pq_params params;
  const bool window = geometry.window() > 1, wide = geometry.rows() >= 192;
  params.block_size = window ? 3 : 2;
  params.codewords = window ? (wide ? 32 : 128) : 64;
  return params;
}

/// Every layer but the stem (288 weights that all the rest depends on). `metric` chooses between preserving outputs,
/// means included, and plain k-means on the weights, at the same size.
inline compressed_network compress(const teacher& original, bitpq::pq_metric metric, const calibration_images& data,
                                   std::uint64_t seed, bitpq::executor_ref exec, const std::string& title) {
  compressed_network result;
  network student = original.net;
  const std::vector<layer_spec> layers = architecture();
  engine::progress_bar bar(title, layers.size());
  for (const layer_spec& spec : layers) {
    const engine::layer& dense = original.net.at(spec.name);
    const std::size_t outputs = spec.geometry.out_channels;
    const auto keep_bias = [&](const std::vector<float>& bias) {
      result.model.add_tensor(spec.name + ".bias", {outputs}, bias, bitpq::dtype::f16);
    };
    if (spec.name == "conv1") {
      keep_bias(dense.bias());
      const std::vector<float> weights(
          dense.dense_weights().data_handle(),
          dense.dense_weights().data_handle() + spec.geometry.rows() * spec.geometry.cols());
      result.model.add_tensor("conv1.weight", {outputs, spec.geometry.in_channels, 3, 3}, weights, bitpq::dtype::f16);
      bar.advance(1, spec.name);
      continue;
    }
    bitpq::pq_params params = settings_for(spec.geometry);
    params.metric = metric;
    params.seed = seed;
    std::optional<bitpq::importance> moments;
    if (metric == bitpq::pq_metric::gram) moments = observe_inputs(student, spec, *data.images, 0, data.count, exec);
    auto layer =
        bitpq::compress<float>(spec.geometry, dense.dense_weights(), moments ? &*moments : nullptr, params, exec);
    const bitpq::importance heldout = observe_inputs(student, spec, *data.images, data.count, data.heldout, exec);
    const double heldout_error =
        bitpq::relative_output_error<float>(dense.dense_weights(), layer.weights, heldout, exec);
    student.set(spec.name, engine::layer(spec.geometry, layer.weights, dense.bias()));
    if (metric == bitpq::pq_metric::gram)
      student.set(spec.name, engine::layer(spec.geometry, layer.weights,
                                           corrected_bias(original.net, student, spec.name, data, exec)));
    keep_bias(student.at(spec.name).bias());
    result.model.add_layer(spec.name + ".weight", spec.geometry, std::move(layer.weights));
    result.layers.push_back({spec.name, 4 * spec.geometry.rows() * spec.geometry.cols(), layer.report, heldout_error});
    bar.advance(1, spec.name);
  }
  return result;
}

/// The network that a file holds, running on codes.
inline network network_of(const bitpq::compressed_model<float>& model) {
  network net;
  for (const layer_spec& spec : architecture()) {
    std::vector<float> bias = model.values(spec.name + ".bias");
    const std::string weight = spec.name + ".weight";
    if (model.layers().contains(weight))
      net.set(spec.name, engine::layer(spec.geometry, model.layer(weight).weight, std::move(bias)));
    else
      net.set(spec.name, engine::layer(spec.geometry, model.values(weight), std::move(bias)));
  }
  return net;
}

}  // namespace fashion_mnist
