// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the program does, apart from its command line.

#include <bitpq/io/dtype.hpp>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace cli {

struct compress_options {
  std::filesystem::path input, output;
  std::string preset = "best";
  std::optional<std::filesystem::path> rules{}, gram{};
  std::optional<std::size_t> budget{};  ///< bytes of the whole output
  std::optional<double> cycles{};       ///< of one core, as gemm/plan.hpp estimates all layers' products with
  std::size_t columns = 1;              ///< so many columns: output pixels, or tokens
  std::optional<bitpq::dtype> rest{};   ///< of numbers that are not compressed, where it is narrower than theirs
  bool notes = true;                    ///< the file keeps types and errors of weights
  std::uint64_t seed = 0;
  std::size_t threads = 0;  ///< 0: as many as the system has
};

struct decompress_options {
  std::filesystem::path input, output;
  std::optional<bitpq::dtype> type{};  ///< of the weights; else what they were before they were compressed
};

/// All of these throw bitpq::error; files are written as a whole or not at all.
void compress(const compress_options& options);
void decompress(const decompress_options& options);
void info(const std::filesystem::path& input);
/// Prints as `info` what `compress` would write, without budget. Needs no weight.
void foresee(const compress_options& options);

}  // namespace cli
