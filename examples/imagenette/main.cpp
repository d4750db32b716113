// SPDX-License-Identifier: Apache-2.0

// Compresses a ResNet-18 of ten classes to several sizes, tunes each without labels until it imitates the original, and
// sets accuracy against bytes, and against the paper's preset and schedule.

#include "imagenette/report.hpp"

#include "engine/command_line.hpp"

#include <bitpq/interop/openmp.hpp>

#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>

namespace {

struct options {
  std::filesystem::path data = IMAGENETTE_DATA;
  imagenette::trial_options trial{.out = "build/imagenette"};
  std::vector<imagenette::setting> settings;
  std::size_t seeds = 1, calibration = 512, images = 1'000'000;
  int threads = omp_get_max_threads();
};

constexpr const char* usage =
    "usage: imagenette [--data DIR] [--out DIR] [--setting NAME]... [--seeds N] [--steps N] [--batch IMAGES]\n"
    "                  [--calibration IMAGES] [--images VALIDATION_IMAGES] [--threads N] [--no-paper] [--resume]\n"
    "Settings: 9/4, 18/4, 36/8, quick-to-run; all of them unless some are named. --resume: go on from the checkpoints\n"
    "in --out. The environment variable BITPQ_COMMIT is copied into the report.\n";

const imagenette::setting& setting_named(const std::string& name) {
  std::string names;
  for (const imagenette::setting& s : imagenette::settings()) {
    if (s.name == name) return s;
    names += " " + s.name;
  }
  bitpq::fail(bitpq::errc::bad_params, "no setting ", name, "; there are:", names);
}

options parse(int argc, char** argv) {
  options o;
  engine::for_each_option(argc, argv, usage, [&](const std::string& name, const auto& value) {
    if (name == "--data")
      o.data = value();
    else if (name == "--out")
      o.trial.out = value();
    else if (name == "--setting")
      o.settings.push_back(setting_named(value()));
    else if (name == "--seeds")
      o.seeds = engine::whole_number(name, value());
    else if (name == "--steps")
      o.trial.steps = engine::whole_number(name, value());
    else if (name == "--batch")
      o.trial.batch = engine::whole_number(name, value());
    else if (name == "--calibration")
      o.calibration = engine::whole_number(name, value());
    else if (name == "--images")
      o.images = engine::whole_number(name, value());
    else if (name == "--threads")
      o.threads = static_cast<int>(engine::whole_number(name, value()));
    else if (name == "--no-paper")
      o.trial.paper = false;
    else if (name == "--resume")
      o.trial.resume = true;
    else
      return false;
    return true;
  });
  if (o.settings.empty()) o.settings = imagenette::settings();
  return o;
}

void run(const options& o) {
  const auto start = std::chrono::steady_clock::now();
  const bitpq::openmp_executor exec(o.threads);
  const imagenette::dataset data = imagenette::load(o.data, o.calibration, o.images, exec);
  std::filesystem::create_directories(o.trial.out);
  const engine::answers teacher = engine::answers_of(data.teacher.net, data.evaluation, exec);

  imagenette::run_report report;
  report.commit = engine::measured_commit();
  report.threads = exec.concurrency();
  report.calibration_images = data.calibration.count;
  report.evaluation_images = data.evaluation.count;
  report.steps = o.trial.steps;
  report.batch = o.trial.batch;
  report.parameters = data.teacher.parameters;
  for (std::uint64_t seed = 0; seed < o.seeds; ++seed)
    for (const imagenette::setting& sizes : o.settings) {
      report.trials.push_back(imagenette::run_trial(data, teacher, sizes, seed, o.trial, exec));
      report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      rusage used{};
      getrusage(RUSAGE_SELF, &used);
      report.peak_memory = static_cast<std::size_t>(used.ru_maxrss) * 1024;
      imagenette::write_json(report, o.trial.out / "report.json");  // after every trial: nothing is lost
      imagenette::write_curve(report, o.trial.out / "curve.svg");
    }
  imagenette::print_table(report);
  std::printf("wrote %s/report.json, curve.svg and the compressed models\n", o.trial.out.string().c_str());
}

}  // namespace

int main(int argc, char** argv) {
  return engine::run_program(argc, argv, usage, [&] { run(parse(argc, argv)); });
}
