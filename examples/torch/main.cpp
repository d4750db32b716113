// SPDX-License-Identifier: Apache-2.0

// A host of LibTorch: takes a trained ResNet-18 and photographs without labels, compresses the network where it stands,
// and says what that did to its accuracy and its file.

#include "engine/command_line.hpp"
#include "engine/labelled_images.hpp"
#include "engine/network_progress.hpp"
#include "engine/torch_host.hpp"
#include "engine/torch_resnet18.hpp"

namespace {

constexpr const char* usage =
    "usage: torch_resnet18 [--data DIR] [--out FILE] [--calibration IMAGES] [--steps N] [--images VALIDATION_IMAGES]\n"
    "DIR holds resnet18.safetensors (10 classes), calib/ (photographs without labels), val/ and labels.csv.\n";

struct options {
  std::filesystem::path data = TORCH_RESNET18_DATA, out = "resnet18-compressed.safetensors";
  std::size_t calibration = 256, steps = 100, images = 1'000'000;
};

options parse(int argc, char** argv) {
  options o;
  engine::for_each_option(argc, argv, usage, [&](const std::string& name, const auto& value) {
    if (name == "--data")
      o.data = value();
    else if (name == "--out")
      o.out = value();
    else if (name == "--calibration")
      o.calibration = engine::whole_number(name, value());
    else if (name == "--steps")
      o.steps = engine::whole_number(name, value(), 0);
    else if (name == "--images")
      o.images = engine::whole_number(name, value());
    else
      return false;
    return true;
  });
  return o;
}

/// Every layer but the first by the preset `best`, towards the original's outputs; then all codewords together.
bitpq::torch::module_params params_of(std::size_t steps) {
  bitpq::torch::module_params params;
  params.network.select = [](const std::string& name) { return name != "conv1"; };
  params.compression.calibration.teacher_targets = true;
  params.compression.global_tuning.steps = steps;
  if (steps > 0) params.compression.global_tuning.rate = bitpq::cosine_schedule{1e-4, steps, 0, steps / 10};
  return params;
}

void run(const options& o) {
  constexpr bitpq::extent2 size{128, 128};
  bitpq::require(exists(o.data), bitpq::errc::io_failure, o.data.string(), ": no such folder; give one by --data");
  const bitpq::torch::at_executor exec;
  const auto photographs = [&](const char* folder, const std::vector<std::string>& names, std::size_t wanted) {
    return engine::photographs(o.data / folder, engine::pick(names, engine::spread(names.size(), wanted)), size, exec);
  };
  const engine::image_source unlabelled = photographs("calib", engine::files_of(o.data / "calib"), o.calibration);
  const engine::labelled_files labelled = engine::read_labels(o.data / "labels.csv");
  const engine::image_source seen = photographs("val", labelled.names, o.images);
  const auto labels = engine::pick(labelled.labels, engine::spread(labelled.names.size(), o.images));

  auto net = std::make_shared<engine::coded_resnet18>(10);
  engine::load_weights(*net, bitpq::safetensors_reader(o.data / "resnet18.safetensors"));
  std::size_t parameters = 0;
  for (const at::Tensor& p : net->parameters()) parameters += static_cast<std::size_t>(p.numel());
  std::printf("original: top-1 %.2f %% of %zu images\n", engine::top1(engine::answers_of(*net, seen), labels),
              seen.count);

  engine::network_progress bars("compressing");
  bitpq::network_run<float> progress;
  progress.progress = bars.callback();
  const auto report =
      bitpq::torch::compress_module(net, engine::in_batches(unlabelled, 32), params_of(o.steps), progress);
  bitpq::torch::save_module(o.out, *net, report.codes);

  const auto read = std::make_shared<engine::coded_resnet18>(10);  // what counts is what the file holds
  bitpq::torch::load_module(o.out, *read);
  const std::size_t bytes = std::filesystem::file_size(o.out);
  std::printf("compressed: top-1 %.2f %%, %zu layers on codes, %zu bytes (1/%.1f), %.0f s; wrote %s\n",
              engine::top1(engine::answers_of(*read, seen), labels), report.on_codes.size(), bytes,
              4.0 * static_cast<double>(parameters) / static_cast<double>(bytes), report.network.seconds,
              o.out.string().c_str());
}

}  // namespace

int main(int argc, char** argv) {
  return engine::run_program(argc, argv, usage, [&] { run(parse(argc, argv)); });
}
