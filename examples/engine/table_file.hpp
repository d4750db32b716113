// SPDX-License-Identifier: Apache-2.0
#pragma once

// Tables of images and their classes: lines of comma-separated fields.

#include <bitpq/core/error.hpp>

#include <charconv>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace engine {

/// Throws bitpq::error (io_failure) for a file that cannot be opened.
inline std::vector<std::string> lines_of(const std::filesystem::path& file) {
  std::ifstream in(file);
  bitpq::require(in.is_open(), bitpq::errc::io_failure, file.string(), " cannot be opened");
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    lines.push_back(line);
  }
  return lines;
}

inline std::vector<std::string> fields_of(const std::string& line) {
  std::vector<std::string> fields(1);
  for (const char c : line)
    if (c == ',')
      fields.emplace_back();
    else
      fields.back() += c;
  return fields;
}

/// The number that a field begins with, to its end or to a space. `file` and `line`, counted from 0, are for the error:
/// corrupt_file.
inline std::size_t class_in(const std::vector<std::string>& fields, std::size_t column,
                            const std::filesystem::path& file, std::size_t line) {
  const std::string text = column < fields.size() ? fields[column] : std::string();
  std::size_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  bitpq::require(error == std::errc() && (end == text.data() + text.size() || *end == ' '), bitpq::errc::corrupt_file,
                 file.string(), ", line ", line + 1, ": '", text, "' is no class");
  return value;
}

}  // namespace engine
