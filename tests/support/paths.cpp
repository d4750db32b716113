// SPDX-License-Identifier: Apache-2.0

#include "support/paths.hpp"

#include <random>
#include <stdexcept>
#include <string>
#include <system_error>

namespace bitpq_test {

std::filesystem::path source_dir() { return BITPQ_TEST_SOURCE_DIR; }

temp_dir::temp_dir() {
  std::random_device device;
  for (int attempt = 0; attempt < 100; ++attempt) {
    path_ = std::filesystem::temp_directory_path() / ("bitpq-test-" + std::to_string(device()));
    if (std::filesystem::create_directory(path_)) {
      return;
    }
  }
  throw std::runtime_error("no temporary folder could be made");
}

temp_dir::~temp_dir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace bitpq_test
