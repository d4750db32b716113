// SPDX-License-Identifier: Apache-2.0
#pragma once

// Where tests find the repository's files and where they may write.

#include <filesystem>

namespace bitpq_test {

/// The top of the source tree, for tests that read what the repository ships.
std::filesystem::path source_dir();

/// A folder of its own under the system's temporary folder, removed with everything in it at the end of the scope.
class temp_dir {
 public:
  temp_dir();
  ~temp_dir();
  temp_dir(const temp_dir&) = delete;
  temp_dir& operator=(const temp_dir&) = delete;

  const std::filesystem::path& path() const noexcept { return path_; }
  std::filesystem::path operator/(const std::filesystem::path& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

}  // namespace bitpq_test
