// SPDX-License-Identifier: Apache-2.0
#pragma once

// The images that a program is to look at, and what is known of them.

#include "imagenet/options.hpp"

namespace imagenet {

struct listed_image {
  std::filesystem::path file;
  std::optional<std::size_t> label;      ///< its class
  std::optional<std::size_t> reference;  ///< what another program says it is
};

/// The images of the command line, those of folders sorted by name; with --labels the images that the table names, in
/// its order, in the folder of the command line or else beside the table.
///
/// A table is lines of comma-separated fields, the first line being headings: file, class as a number, and perhaps more
/// columns; of the one that --agree names, the first number counts. Throws bitpq::error that names file and line.
std::vector<listed_image> list_images(const options& o);

/// The lines of --classes, or nothing.
std::vector<std::string> read_classes(const std::filesystem::path& file);

}  // namespace imagenet
