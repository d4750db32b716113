// SPDX-License-Identifier: Apache-2.0
#pragma once

// Photographs to measure on: a folder and a table of labels.

#include "engine/activations.hpp"
#include "engine/image_folder.hpp"
#include "engine/table_file.hpp"

#include <memory>

namespace engine {

struct labelled_files {
  std::vector<std::string> names;
  std::vector<std::size_t> labels;
};

/// The first two columns of a table with a line of headings: file, class. Throws io_failure, or corrupt_file with the
/// line.
inline labelled_files read_labels(const std::filesystem::path& csv) {
  const std::vector<std::string> lines = lines_of(csv);
  labelled_files files;
  for (std::size_t i = 1; i < lines.size(); ++i) {
    if (lines[i].empty()) continue;
    const std::vector<std::string> fields = fields_of(lines[i]);
    files.labels.push_back(class_in(fields, 1, csv, i));
    files.names.push_back(fields[0]);
  }
  return files;
}

/// `wanted` of n things, evenly spread: neighbours in a folder are often of one class.
inline std::vector<std::size_t> spread(std::size_t n, std::size_t wanted) {
  std::vector<std::size_t> chosen(std::min(n, wanted));
  for (std::size_t i = 0; i < chosen.size(); ++i) chosen[i] = i * n / chosen.size();
  return chosen;
}

template <class T>
std::vector<T> pick(const std::vector<T>& all, const std::vector<std::size_t>& chosen) {
  std::vector<T> result;
  for (const std::size_t i : chosen) result.push_back(all[i]);
  return result;
}

/// Files of a folder as a network takes them; the source keeps them, decoded.
inline image_source photographs(const std::filesystem::path& folder, const std::vector<std::string>& names,
                                bitpq::extent2 size, bitpq::executor_ref exec) {
  const auto images = std::make_shared<image_folder>(folder, names, size, exec);
  return {images->count(), [images, exec](std::size_t first, std::size_t n) { return images->batch(first, n, exec); }};
}

}  // namespace engine
