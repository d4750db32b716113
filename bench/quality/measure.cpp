// SPDX-License-Identifier: Apache-2.0

#include "quality/measure.hpp"

#include "engine/network_progress.hpp"

#include <bitpq/train/compress_network.hpp>
#include <bitpq/train/distillation.hpp>

namespace quality {

namespace {

using answers = std::vector<std::vector<float>>;

constexpr std::size_t batch = 64;  // images at a time

double mean_divergence(const answers& teacher, const answers& student) {
  const auto row = [](const std::vector<float>& logits) {
    return bitpq::matrix_view<const float>(logits.data(), 1, logits.size());
  };
  std::vector<float> gradient(teacher.at(0).size());
  double sum = 0;
  for (std::size_t i = 0; i < teacher.size(); ++i)
    sum += bitpq::distillation_loss<float>(row(student[i]), row(teacher[i]), 1, {gradient.data(), 1, gradient.size()});
  return sum / static_cast<double>(teacher.size());
}

double top1(const answers& given, const std::vector<std::size_t>& labels) {
  std::size_t right = 0;
  for (std::size_t i = 0; i < given.size(); ++i) {
    const auto best = std::max_element(given[i].begin(), given[i].end()) - given[i].begin();
    right += static_cast<std::size_t>(best) == labels[i] ? 1 : 0;
  }
  return 100.0 * static_cast<double>(right) / static_cast<double>(given.size());
}

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

answers answers_of(const engine::network& net, const engine::image_source& images, bitpq::executor_ref exec) {
  answers all;
  for (std::size_t first = 0; first < images.count; first += batch) {
    const std::size_t n = std::min(batch, images.count - first);
    const engine::tensor logits = net.forward(images.batch(first, n), exec);
    for (std::size_t i = 0; i < n; ++i)
      all.emplace_back(logits.data() + i * logits.channels(), logits.data() + (i + 1) * logits.channels());
  }
  return all;
}

outcome measure(const subject& on, const answers& teacher_answers, const setting& sizes, const method& how,
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
  const answers given = answers_of(student.net(), on.evaluation, exec);
  result.network.kl = mean_divergence(teacher_answers, given);
  result.network.top1 = top1(given, on.labels);
  result.network.teacher_top1 = top1(teacher_answers, on.labels);
  add_sizes(result.network, on.teacher.parameters, result.layers);
  return result;
}

}  // namespace quality
