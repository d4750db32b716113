// SPDX-License-Identifier: Apache-2.0
#pragma once

// Turns image bytes into normalised batches, with the training distortions (crop, mirror, erase) drawn from a
// generator seeded by run and epoch: epoch e of a resumed run sees the very batches of an uninterrupted one.

#include "../idx.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <random>
#include <utility>
#include <vector>

#include <torch/torch.h>

namespace fashion_mnist {

/// A batch for the network: `images` [n][1][28][28] float, `labels` [n] int64.
struct batch {
  torch::Tensor images;
  torch::Tensor labels;
};

/// Distortions of the training images.
struct distortion {
  int crop_padding = 2;  ///< shift by up to this many pixels each way
  double mirror_probability = 0.5;
  double erase_probability = 0.25;  ///< grey out a rectangle of 4..11 pixels a side
};

/// The random choices of one epoch. Own integer mapping, since std distributions differ between libraries.
class epoch_random {
 public:
  epoch_random(std::uint64_t seed, std::uint64_t epoch)
      : engine_((seed + 1) * 0x9E3779B97F4A7C15ULL + epoch * 0xD1B54A32D192ED03ULL) {}

  /// Uniform in [0, bound); the bias of the modulus is below 2^-40 for the bounds used here.
  std::size_t below(std::size_t bound) { return static_cast<std::size_t>(engine_() % bound); }

  bool chance(double probability) { return static_cast<double>(engine_() >> 11U) * 0x1.0p-53 < probability; }

 private:
  std::mt19937_64 engine_;
};

/// Indices 0..count-1 in random order (Fisher-Yates).
inline std::vector<std::size_t> shuffled(std::size_t count, epoch_random& random) {
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  for (std::size_t i = count; i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
  return order;
}

namespace detail {

constexpr float normalised(std::uint8_t pixel) noexcept {
  return (static_cast<float>(pixel) / 255.0F - pixel_mean) / pixel_std;
}

/// Writes `image` shifted by (dy, dx), mirrored if asked; what lies outside the image is black.
inline void place(const std::uint8_t* image, int dy, int dx, bool mirror, float* out) {
  constexpr int side = static_cast<int>(image_side);
  for (int y = 0; y < side; ++y) {
    for (int x = 0; x < side; ++x) {
      const int from_y = y + dy;
      const int from_x = (mirror ? side - 1 - x : x) + dx;
      const bool inside = from_y >= 0 && from_y < side && from_x >= 0 && from_x < side;
      out[y * side + x] = normalised(inside ? image[from_y * side + from_x] : std::uint8_t{0});
    }
  }
}

/// Sets a random rectangle to the mean pixel (0 once normalised).
inline void erase(float* out, epoch_random& random) {
  const std::size_t height = 4 + random.below(8);
  const std::size_t width = 4 + random.below(8);
  const std::size_t top = random.below(image_side - height + 1);
  const std::size_t left = random.below(image_side - width + 1);
  for (std::size_t y = top; y < top + height; ++y) {
    std::fill_n(out + y * image_side + left, width, 0.0F);
  }
}

inline void distort(const std::uint8_t* image, const distortion& how, epoch_random& random, float* out) {
  const auto span = static_cast<std::size_t>(2 * how.crop_padding + 1);
  const int dy = static_cast<int>(random.below(span)) - how.crop_padding;
  const int dx = static_cast<int>(random.below(span)) - how.crop_padding;
  place(image, dy, dx, random.chance(how.mirror_probability), out);
  if (random.chance(how.erase_probability)) erase(out, random);
}

inline batch empty_batch(std::size_t count) {
  constexpr auto side = static_cast<std::int64_t>(image_side);
  const auto n = static_cast<std::int64_t>(count);
  return {torch::empty({n, 1, side, side}), torch::empty({n}, torch::kInt64)};
}

}  // namespace detail

/// Distorted images `order[0..count)` of `set`.
inline batch training_batch(const image_set& set, const std::size_t* order, std::size_t count, const distortion& how,
                            epoch_random& random) {
  batch result = detail::empty_batch(count);
  float* out = result.images.data_ptr<float>();
  auto* labels = result.labels.data_ptr<std::int64_t>();
  for (std::size_t i = 0; i < count; ++i) {
    detail::distort(set.image(order[i]), how, random, out + i * image_pixels);
    labels[i] = set.labels[order[i]];
  }
  return result;
}

/// Images first..first+count of `set` as they are.
inline batch plain_batch(const image_set& set, std::size_t first, std::size_t count) {
  batch result = detail::empty_batch(count);
  std::transform(set.image(first), set.image(first) + count * image_pixels, result.images.data_ptr<float>(),
                 detail::normalised);
  std::copy_n(set.labels.data() + first, count, result.labels.data_ptr<std::int64_t>());
  return result;
}

}  // namespace fashion_mnist
