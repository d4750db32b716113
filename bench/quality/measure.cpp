// SPDX-License-Identifier: Apache-2.0

#include "quality/measure.hpp"

#include "engine/network_progress.hpp"

#include <bitpq/train/compress_network.hpp>

namespace quality {

namespace {

constexpr std::size_t batch = 64;  // images at a time

void add_sizes(network_row& row, std::size_t parameters, const std::vector<layer_row>& layers) {
  std::size_t rest = parameters, bits = 0;
  for (const layer_row& layer : layers) {
    rest -= layer.report.size.weights;
    bits += layer.report.size.total_bits();
  }
  row.bytes = bits / 8 + 4 * rest;
  row.ratio = 4 * static_cast<double>(parameters) / static_cast<double>(row.bytes);
}

}  // namespace

outcome measure(const subject& on, const engine::answers& teacher_answers, const setting& sizes, const method& how,
                const trial& of, bitpq::executor_ref exec) {
  const engine::network& teacher = on.teacher.net;
  std::string classifier;
  for (const engine::node& step : teacher.structure().nodes)
    if (step.type == engine::node::kind::layer) classifier = step.name;

  bitpq::network_params params;
  params.layer = [&](std::size_t, const bitpq::network_layer& layer) {
    bitpq::pq_params one = how.params(layer.geometry);
    sizes.apply(layer.geometry, layer.name == classifier, one);
    one.seed = of.seed;
    return one;
  };
  params.calibration.statistics = how.statistics;
  params.calibration.teacher_targets = how.teacher_targets;
  engine::student student(teacher, on.calibration, on.compressed, {.correct_bias = how.correct_bias}, exec);
  engine::network_progress bars(of.network + " " + of.setting + " " + of.method);
  bitpq::network_run<float> run;
  run.progress = bars.callback();
  const bitpq::network_report report = bitpq::compress_network(student, params, run, exec);
  outcome result;
  result.network.of = of;
  result.network.seconds = report.seconds;
  for (const bitpq::tuned_layer_report& layer : report.layers)
    result.layers.push_back({of, layer.name, layer.compression});

  std::size_t i = 0;
  engine::observe_layers(student.net(), on.heldout, on.compressed, batch, exec,
                         [&](const engine::node& /*step*/, const bitpq::importance& heldout) {
                           result.layers[i].output_error = bitpq::relative_output_error<float>(
                               student.weights(i), *student.codes(i), heldout, exec);
                           ++i;
                         });
  const engine::answers given = engine::answers_of(student.net(), on.evaluation, exec);
  result.network.kl = engine::mean_divergence(teacher_answers, given);
  result.network.top1 = engine::top1(given, on.labels);
  result.network.teacher_top1 = engine::top1(teacher_answers, on.labels);
  add_sizes(result.network, on.teacher.parameters, result.layers);
  return result;
}

}  // namespace quality
