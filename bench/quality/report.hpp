// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the trials came to: a file for programs and a table for people.

#include "quality/measure.hpp"

#include <filesystem>

namespace quality {

struct report {
  std::string commit, isa;
  std::size_t threads = 1;
  image_counts images;
  std::vector<std::string> missing;  ///< networks whose data is not there, with what is missing
  std::vector<layer_row> layers;
  std::vector<network_row> networks;
};

/// Writes `file` anew, all or nothing. Throws bitpq::error (io_failure).
void write_json(const report& r, const std::filesystem::path& file);

/// A line per network, setting and method, means over the seeds. Output errors stand relative to those of `paper`, as
/// geometric means over the layers with windows, and over all others.
void print_table(const report& r);

}  // namespace quality
