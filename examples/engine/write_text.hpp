// SPDX-License-Identifier: Apache-2.0
#pragma once

// Reports, written whole or not at all.

#include <bitpq/io/atomic_file.hpp>

#include <filesystem>
#include <span>
#include <string_view>

namespace engine {

/// Replaces the file at `path`. Throws bitpq::error (io_failure), the old file being as it was.
inline void write_text(const std::filesystem::path& path, std::string_view text) {
  bitpq::atomic_file file(path);
  file.write(std::as_bytes(std::span(text)));
  file.commit();
}

}  // namespace engine
