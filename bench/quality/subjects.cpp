// SPDX-License-Identifier: Apache-2.0

#include "quality/subjects.hpp"

#include "engine/architectures.hpp"
#include "engine/labelled_images.hpp"
#include "fashion_mnist/network.hpp"

#include <memory>

namespace quality {

namespace {

using folders = data_folders;

engine::image_source fashion_images(const std::shared_ptr<fashion_mnist::image_set>& set, std::size_t first,
                                    std::size_t n) {
  return {n,
          [set, first](std::size_t at, std::size_t size) { return fashion_mnist::batch_of(*set, first + at, size); }};
}

engine::layer_choice all_but(const std::string& first) {
  return [first](const engine::node& step) { return step.name != first; };
}

/// The demo's teacher.
std::optional<subject> fashion(const folders& data, const image_counts& counts, bitpq::executor_ref,
                               std::string& missing) {
  if (!exists(data.fashion_mnist)) {
    missing = data.fashion_mnist.string() + " (Debian's dataset-fashion-mnist)";
    return {};
  }
  const auto load = [&](fashion_mnist::split which) {
    return std::make_shared<fashion_mnist::image_set>(fashion_mnist::load(data.fashion_mnist.string(), which));
  };
  const auto train = load(fashion_mnist::split::train), test = load(fashion_mnist::split::test);
  const std::size_t calibration = std::min(counts.calibration, train->count() - 1);
  const std::size_t heldout = std::min(counts.heldout, train->count() - calibration);
  subject s;
  s.teacher = fashion_mnist::load_teacher((data.examples / "fashion_mnist" / "teacher.safetensors").string());
  s.calibration = fashion_images(train, 0, calibration);
  s.heldout = fashion_images(train, calibration, heldout);
  s.evaluation = fashion_images(test, 0, std::min(counts.evaluation, test->count()));
  s.labels.assign(test->labels.begin(), test->labels.begin() + static_cast<std::ptrdiff_t>(s.evaluation.count));
  s.compressed = all_but("conv1");
  return s;
}

/// One half of the images calibrates, on the other half errors are measured.
std::optional<subject> squeezenet(const folders& data, const image_counts& counts, bitpq::executor_ref exec,
                                  std::string& missing) {
  const std::filesystem::path folder = data.evaluation / "imagenet-dev";
  if (!exists(folder)) {
    missing = folder.string();
    return {};
  }
  const engine::labelled_files files = engine::read_labels(folder / "labels.csv");
  std::vector<std::size_t> even, odd;
  for (std::size_t i = 0; i < files.names.size(); ++i) (i % 2 == 0 ? even : odd).push_back(i);
  const auto source = [&](const std::vector<std::size_t>& half, std::size_t count) {
    return engine::photographs(folder / "images",
                               engine::pick(files.names, engine::pick(half, engine::spread(half.size(), count))),
                               {224, 224}, exec);
  };
  subject s;
  s.teacher = engine::load_trained(engine::squeezenet1_1(),
                                   bitpq::safetensors_reader(data.evaluation / "squeezenet1_1.safetensors"));
  s.calibration = source(even, counts.calibration);
  s.heldout = source(odd, counts.heldout);
  s.evaluation = source(odd, counts.evaluation);
  s.labels = engine::pick(files.labels, engine::pick(odd, engine::spread(odd.size(), counts.evaluation)));
  s.compressed = all_but("features.0");
  return s;
}

std::optional<subject> imagenette(const folders& data, const image_counts& counts, bitpq::executor_ref exec,
                                  std::string& missing) {
  const std::filesystem::path folder = data.evaluation / "imagenette";
  if (!exists(folder)) {
    missing = folder.string();
    return {};
  }
  const bitpq::extent2 size{128, 128};
  const std::vector<std::string> unlabelled = engine::files_of(folder / "calib");
  const engine::labelled_files files = engine::read_labels(folder / "labels.csv");
  const auto source = [&](std::size_t count) {
    return engine::photographs(folder / "val", engine::pick(files.names, engine::spread(files.names.size(), count)),
                               size, exec);
  };
  subject s;
  s.teacher = engine::load_trained(engine::resnet(18, 10), bitpq::safetensors_reader(folder / "resnet18.safetensors"));
  s.calibration = engine::photographs(
      folder / "calib", engine::pick(unlabelled, engine::spread(unlabelled.size(), counts.calibration)), size, exec);
  s.heldout = source(counts.heldout);
  s.evaluation = source(counts.evaluation);
  s.labels = engine::pick(files.labels, engine::spread(files.names.size(), counts.evaluation));
  s.compressed = all_but("conv1");
  return s;
}

}  // namespace

const std::vector<subject_entry>& subjects() {
  static const std::vector<subject_entry> all{
      {"fashion", {"9/4"}, fashion},
      {"squeezenet1_1", {"9/4"}, squeezenet},
      {"resnet18-imagenette", {"9/4", "18/4", "36/8"}, imagenette},
  };
  return all;
}

}  // namespace quality
