// SPDX-License-Identifier: Apache-2.0

#include "imagenet/image_list.hpp"

#include "engine/image_folder.hpp"
#include "engine/table_file.hpp"

#include <algorithm>

namespace imagenet {

namespace {

std::vector<listed_image> read_table(const options& o, const std::filesystem::path& folder) {
  const std::vector<std::string> lines = engine::lines_of(o.labels);
  bitpq::require(lines.size() > 1, bitpq::errc::corrupt_file, o.labels.string(), " names no images");
  const std::vector<std::string> headings = engine::fields_of(lines[0]);
  const auto agree = static_cast<std::size_t>(std::find(headings.begin(), headings.end(), o.agree) - headings.begin());
  bitpq::require(o.agree.empty() || agree < headings.size(), bitpq::errc::bad_params, o.labels.string(),
                 " has no column ", o.agree);
  std::vector<listed_image> images;
  for (std::size_t i = 1; i < lines.size(); ++i) {
    if (lines[i].empty()) continue;
    const std::vector<std::string> fields = engine::fields_of(lines[i]);
    images.push_back({folder / fields[0], engine::class_in(fields, 1, o.labels, i), {}});
    if (!o.agree.empty()) images.back().reference = engine::class_in(fields, agree, o.labels, i);
  }
  return images;
}

}  // namespace

std::vector<listed_image> list_images(const options& o) {
  if (!o.labels.empty()) {
    bitpq::require(o.inputs.size() <= 1, bitpq::errc::bad_params, "--labels goes with one folder, not with ",
                   o.inputs.size(), " images");
    return read_table(o, o.inputs.empty() ? o.labels.parent_path() : o.inputs[0]);
  }
  std::vector<listed_image> images;
  for (const std::filesystem::path& input : o.inputs)
    if (std::filesystem::is_directory(input))
      for (const std::string& name : engine::files_of(input)) images.push_back({input / name, {}, {}});
    else
      images.push_back({input, {}, {}});
  bitpq::require(!images.empty(), bitpq::errc::bad_params, "no images in ", o.inputs[0].string());
  return images;
}

std::vector<std::string> read_classes(const std::filesystem::path& file) {
  return file.empty() ? std::vector<std::string>() : engine::lines_of(file);
}

}  // namespace imagenet
