// SPDX-License-Identifier: Apache-2.0
#pragma once

// The network and its images: a folder with resnet18.safetensors, calib/ (photographs without labels), val/ and
// labels.csv (file, class).

#include "engine/architectures.hpp"
#include "engine/labelled_images.hpp"
#include "engine/weights.hpp"

namespace imagenette {

struct dataset {
  engine::trained_network teacher;
  engine::image_source unlabelled;   ///< all of calib/: codewords are tuned on it
  engine::image_source calibration;  ///< some of it, evenly spread
  engine::image_source evaluation;   ///< val/
  std::vector<std::size_t> labels;   ///< of val/
};

inline constexpr bitpq::extent2 image_size{128, 128};

/// Throws as its readers do; all errors name the file.
inline dataset load(const std::filesystem::path& folder, std::size_t calibration, std::size_t evaluation,
                    bitpq::executor_ref exec) {
  bitpq::require(exists(folder), bitpq::errc::io_failure, folder.string(), ": no such folder; give one by --data");
  dataset data;
  data.teacher =
      engine::load_trained(engine::resnet(18, 10), bitpq::safetensors_reader(folder / "resnet18.safetensors"));
  data.unlabelled = engine::photographs(folder / "calib", engine::files_of(folder / "calib"), image_size, exec);
  const std::vector<std::size_t> chosen = engine::spread(data.unlabelled.count, calibration);
  data.calibration = {chosen.size(), [all = data.unlabelled, chosen](std::size_t first, std::size_t n) {
                        engine::tensor batch(n, 3, image_size.h, image_size.w);
                        for (std::size_t i = 0; i < n; ++i) {
                          const engine::tensor one = all.batch(chosen[first + i], 1);
                          const std::size_t each = 3 * image_size.h * image_size.w;
                          std::copy_n(one.data(), each, batch.data() + i * each);
                        }
                        return batch;
                      }};
  const engine::labelled_files files = engine::read_labels(folder / "labels.csv");
  const std::vector<std::size_t> measured = engine::spread(files.names.size(), evaluation);
  data.evaluation = engine::photographs(folder / "val", engine::pick(files.names, measured), image_size, exec);
  data.labels = engine::pick(files.labels, measured);
  return data;
}

}  // namespace imagenette
