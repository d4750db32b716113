// SPDX-License-Identifier: Apache-2.0

#include "imagenette/trial.hpp"

#include "engine/distillation.hpp"
#include "engine/network_progress.hpp"
#include "engine/student_model.hpp"

#include <bitpq/interop/checkpoint_file.hpp>

#include <chrono>

namespace imagenette {

namespace {

/// Everything but the stem, on which all the rest depends.
bool compressed(const engine::node& step) { return step.name != "conv1"; }

accuracy accuracy_of(const engine::network& net, const dataset& data, const engine::answers& teacher,
                     bitpq::executor_ref exec) {
  const engine::answers given = engine::answers_of(net, data.evaluation, exec);
  return {engine::top1(given, data.labels), engine::mean_divergence(teacher, given)};
}

/// One schedule over the network; `before` and `after` see the student.
void run_schedule(const dataset& data, const bitpq::network_params& params, const std::string& name, bool paper,
                  std::uint64_t seed, const trial_options& options, bitpq::executor_ref exec,
                  const engine::student_visitor& before, const engine::student_visitor& after) {
  engine::distillation_options tuning;
  tuning.images = data.unlabelled;
  tuning.batch = options.batch;
  tuning.seed = seed;
  engine::network_progress bars(name);
  const std::filesystem::path file = options.out / (name + ".checkpoint.safetensors");
  bitpq::network_run<float> run;
  run.progress = bars.callback();
  run.checkpoint = bitpq::checkpoints_in<float>(file);
  run.checkpoint_every = 50;
  std::optional<bitpq::network_checkpoint<float>> stopped;
  if (options.resume && exists(file)) run.resume = &stopped.emplace(bitpq::load_checkpoint<float>(file));
  engine::distil(data.teacher.net, data.calibration, compressed, {.correct_bias = !paper}, tuning, params, run, exec,
                 before, after);
}

}  // namespace

trial_result run_trial(const dataset& data, const engine::answers& teacher, const setting& sizes, std::uint64_t seed,
                       const trial_options& options, bitpq::executor_ref exec) {
  const std::size_t layers = engine::chosen_steps(data.teacher.net.structure(), compressed).size();
  std::string name = sizes.name + "-" + std::to_string(seed);
  std::replace(name.begin(), name.end(), '/', '-');
  trial_result result;
  result.setting = sizes.name;
  result.seed = seed;
  result.teacher_top1 = engine::top1(teacher, data.labels);

  const std::filesystem::path file = options.out / (name + ".safetensors");
  run_schedule(
      data, schedule(sizes, false, options.steps, layers, seed), name, false, seed, options, exec,
      [&](engine::student& student, const bitpq::network_report& report) {
        result.seconds += report.seconds;
        result.before = accuracy_of(student.net(), data, teacher, exec);
      },
      [&](engine::student& student, const bitpq::network_report& report) {
        result.seconds += report.seconds;
        bitpq::save_model(file, engine::model_of(student));
      });
  // What is measured is what the file holds.
  const engine::network student = engine::load_compressed(data.teacher.net.structure(), bitpq::load_model<float>(file));
  result.after = accuracy_of(student, data, teacher, exec);
  result.file_bytes = std::filesystem::file_size(file);
  result.ratio = 4 * static_cast<double>(data.teacher.parameters) / static_cast<double>(result.file_bytes);
  result.speed = measure_speed(student, data.teacher.net, data.evaluation);
  if (options.paper)
    run_schedule(data, schedule(sizes, true, options.steps, layers, seed), name + "-paper", true, seed, options, exec,
                 {}, [&](engine::student& last, const bitpq::network_report&) {
                   result.paper = accuracy_of(last.net(), data, teacher, exec);
                 });
  return result;
}

}  // namespace imagenette
