// SPDX-License-Identifier: Apache-2.0
#pragma once

// Photographs on their way to a network's input: read, cropped, scaled to numbers, resized.

#include "engine/tensor.hpp"

#include <array>
#include <cstdint>
#include <filesystem>
#include <vector>

namespace engine {

/// height x width pixels of red, green and blue, row after row.
struct image {
  std::size_t height = 0, width = 0;
  std::vector<std::uint8_t> pixels;
};

/// The largest image that is read: one takes up to six bytes a pixel while it is.
inline constexpr std::size_t max_pixels = std::size_t{1} << 27;

/// A JPEG or PNG file (whatever stb_image knows), grey or coloured; transparency is dropped. Throws bitpq::error:
/// io_failure for a file that cannot be opened, corrupt_file for one that is no image or is cut short, unsupported for
/// one of more than max_pixels.
image read_image(const std::filesystem::path& file);

/// The middle of an image. Throws bad_shape when it is smaller.
image centre_crop(const image& from, bitpq::extent2 size);

/// What is taken from each channel's numbers, and what they are divided by.
struct normalisation {
  std::array<float, 3> mean{0.485F, 0.456F, 0.406F};  ///< those of ImageNet, which torchvision's networks expect
  std::array<float, 3> deviation{0.229F, 0.224F, 0.225F};
};

/// (pixel / 255 - mean) / deviation as 1 x 3 x height x width.
tensor to_tensor(const image& from, const normalisation& by = {});

/// What a network takes of a photograph, 1 x 3 x crop x crop: scaled so that its shorter side has `shorter` pixels, and
/// the middle of that; an image of crop x crop is taken as it is. As torchvision's Resize and CenterCrop do it, but for
/// rounding to bytes in between. Only pixels that are seen are scaled. Throws bad_params for crop > shorter.
tensor photograph(const image& from, std::size_t shorter, std::size_t crop, const normalisation& by = {});

/// Every map scaled by bilinear interpolation that averages over all pixels it skips: torch's
/// interpolate(mode="bilinear", align_corners=False, antialias=True) up to rounding.
tensor resize(const tensor& x, bitpq::extent2 size);

}  // namespace engine
