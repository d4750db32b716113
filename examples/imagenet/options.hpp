// SPDX-License-Identifier: Apache-2.0
#pragma once

// What both programs are told on the command line.

#include <bitpq/gemm/precision.hpp>
#include <bitpq/kernel/isa.hpp>

#include <filesystem>
#include <optional>
#include <regex>
#include <string>
#include <vector>

namespace imagenet {

struct options {
  std::filesystem::path model;
  std::vector<std::filesystem::path> inputs;  ///< images and folders of images
  std::filesystem::path classes;              ///< a line per class; or empty: numbers
  std::filesystem::path labels;               ///< a table of images and their classes; or empty
  std::string agree;                          ///< the column of that table with another program's answers; or empty
  std::size_t resize = 256;                   ///< pixels of an image's shorter side
  std::size_t threads = 0;                    ///< 0: as many as there are
  std::optional<bitpq::isa> isa;
  bitpq::precision precision = bitpq::precision::exact;
  std::optional<std::regex> exact;  ///< names of layers that are computed exactly whatever the precision
  bool plan = false, help = false;
};

/// Pixels of a network's input along each side.
inline constexpr std::size_t input_side = 224;

/// Throws bad_params that says what is wrong, with `usage`. `on_codes`: whether --isa, --precision and --exact
/// mean something.
options parse(int argc, char** argv, const std::string& usage, bool on_codes);

}  // namespace imagenet
