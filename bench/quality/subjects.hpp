// SPDX-License-Identifier: Apache-2.0
#pragma once

// The networks that are compressed, and the images that go with each.

#include "engine/student.hpp"
#include "engine/weights.hpp"

#include <optional>

namespace quality {

/// How many images of each kind; where fewer are there, all of them.
struct image_counts {
  std::size_t calibration = 512, heldout = 256, evaluation = 1'000'000;
};

struct subject {
  engine::trained_network teacher;
  engine::image_source calibration, heldout, evaluation;  ///< keep their images alive
  std::vector<std::size_t> labels;                        ///< of the evaluation's images
  engine::layer_choice compressed;                        ///< all layers but the first
};

/// Where data lies.
struct data_folders {
  std::filesystem::path evaluation, fashion_mnist, examples;
};

/// A network that can be asked for by name.
struct subject_entry {
  std::string name;
  std::vector<std::string> settings;  ///< what it is compressed to unless asked otherwise
  /// Nothing when its data is not there; `missing` then says what is.
  std::optional<subject> (*load)(const data_folders&, const image_counts&, bitpq::executor_ref, std::string& missing);
};

const std::vector<subject_entry>& subjects();

}  // namespace quality
