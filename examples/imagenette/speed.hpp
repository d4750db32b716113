// SPDX-License-Identifier: Apache-2.0
#pragma once

// How much faster a network runs on its codes than dense on oneDNN: one image at a time, one thread, in turn.

#include "engine/activations.hpp"

#include <optional>

namespace imagenette {

/// Ratios of times, oneDNN's to ours, on the same image: the geometric mean and its 95 % interval.
struct speedup {
  double ratio = 0, low = 0, high = 0;
  double ms = 0, dense_ms = 0;  ///< medians
  std::size_t images = 0;
};

/// Nothing where oneDNN is not there. `teacher` is dense. Throws bitpq::error when the student's and oneDNN's networks
/// cannot take the images.
std::optional<speedup> measure_speed(const engine::network& student, const engine::network& teacher,
                                     const engine::image_source& images);

}  // namespace imagenette
