// SPDX-License-Identifier: Apache-2.0

#include "imagenet/image_list.hpp"

#include "engine/image_folder.hpp"

#include <charconv>
#include <fstream>

namespace imagenet {

namespace {

std::vector<std::string> lines_of(const std::filesystem::path& file) {
  std::ifstream in(file);
  bitpq::require(in.is_open(), bitpq::errc::io_failure, file.string(), " cannot be opened");
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    lines.push_back(line);
  }
  return lines;
}

std::vector<std::string> fields_of(const std::string& line) {
  std::vector<std::string> fields(1);
  for (const char c : line)
    if (c == ',')
      fields.emplace_back();
    else
      fields.back() += c;
  return fields;
}

/// A table's reader of numbers: file and line are for errors.
struct table {
  const std::filesystem::path& file;

  [[nodiscard]] std::size_t number(const std::vector<std::string>& fields, std::size_t column, std::size_t line) const {
    const std::string text = column < fields.size() ? fields[column] : std::string();
    std::size_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    bitpq::require(error == std::errc() && (end == text.data() + text.size() || *end == ' '), bitpq::errc::corrupt_file,
                   file.string(), ", line ", line + 1, ": '", text, "' is no class");
    return value;
  }
};

std::vector<listed_image> read_table(const options& o, const std::filesystem::path& folder) {
  const std::vector<std::string> lines = lines_of(o.labels);
  bitpq::require(lines.size() > 1, bitpq::errc::corrupt_file, o.labels.string(), " names no images");
  const std::vector<std::string> headings = fields_of(lines[0]);
  const auto agree = static_cast<std::size_t>(std::find(headings.begin(), headings.end(), o.agree) - headings.begin());
  bitpq::require(o.agree.empty() || agree < headings.size(), bitpq::errc::bad_params, o.labels.string(),
                 " has no column ", o.agree);
  const table of{o.labels};
  std::vector<listed_image> images;
  for (std::size_t i = 1; i < lines.size(); ++i) {
    if (lines[i].empty()) continue;
    const std::vector<std::string> fields = fields_of(lines[i]);
    images.push_back({folder / fields[0], of.number(fields, 1, i), {}});
    if (!o.agree.empty()) images.back().reference = of.number(fields, agree, i);
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
  return file.empty() ? std::vector<std::string>() : lines_of(file);
}

}  // namespace imagenet
