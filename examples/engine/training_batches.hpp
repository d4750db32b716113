// SPDX-License-Identifier: Apache-2.0
#pragma once

// Batches to tune with: images drawn at random, half of them mirrored.

#include "engine/activations.hpp"

#include <bitpq/core/random.hpp>

#include <algorithm>

namespace engine {

/// Batch number `step` of a run with that seed: `size` of the images, a function of these alone.
inline tensor training_batch(const image_source& images, std::size_t size, std::uint64_t seed, std::uint64_t step) {
  bitpq::require(images.count > 0 && size > 0, bitpq::errc::bad_params, "batches of ", size, " out of ", images.count,
                 " images to tune with");
  const bitpq::random_stream random(seed, step);
  tensor batch;
  for (std::size_t i = 0; i < size; ++i) {
    const tensor one = images.batch(random.below(2 * i, images.count), 1);
    const bitpq::extent2 map = one.size();
    const std::size_t each = one.channels() * map.h * map.w;
    if (i == 0) batch = tensor(size, one.channels(), map.h, map.w);
    float* const to = batch.data() + i * each;
    std::copy_n(one.data(), each, to);
    if (random.below(2 * i + 1, 2) == 0) continue;
    for (float* row = to; row < to + each; row += map.w) std::reverse(row, row + map.w);
  }
  return batch;
}

}  // namespace engine
