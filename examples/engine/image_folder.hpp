// SPDX-License-Identifier: Apache-2.0
#pragma once

// A folder of photographs as a network takes them: batch by batch, preprocessed.

#include "engine/image.hpp"

#include <bitpq/core/executor.hpp>

#include <algorithm>
#include <string>

namespace engine {

/// Decoded images of one size; they are kept as bytes and become numbers when a batch is asked for.
class image_folder {
 public:
  /// Reads the named files of `folder`. Batches are of `size`: resized when the images differ from it. Throws as
  /// read_image does.
  image_folder(const std::filesystem::path& folder, const std::vector<std::string>& names, bitpq::extent2 size,
               bitpq::executor_ref exec)
      : size_(size), images_(names.size()) {
    exec.bulk(names.size(), [&](std::size_t, std::size_t i) { images_[i] = read_image(folder / names[i]); });
  }

  [[nodiscard]] std::size_t count() const noexcept { return images_.size(); }

  /// Images first .. first + n as n x 3 x h x w, normalised for ImageNet's networks.
  [[nodiscard]] tensor batch(std::size_t first, std::size_t n, bitpq::executor_ref exec) const {
    tensor x(n, 3, size_.h, size_.w);
    const std::size_t each = 3 * size_.h * size_.w;
    exec.bulk(n, [&](std::size_t, std::size_t i) {
      tensor one = to_tensor(images_[first + i]);
      if (!(one.size() == size_)) one = resize(one, size_);
      std::copy_n(one.data(), each, x.data() + i * each);
    });
    return x;
  }

 private:
  bitpq::extent2 size_;
  std::vector<image> images_;
};

/// The files of a folder, sorted by name. Throws std::filesystem::filesystem_error.
inline std::vector<std::string> files_of(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.is_regular_file()) names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace engine
