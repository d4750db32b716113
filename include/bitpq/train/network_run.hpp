// SPDX-License-Identifier: Apache-2.0
#pragma once

// How one run of compress_network goes about it: where it begins, how much it may spend, who watches. None of it
// changes the bits that the whole of it comes to.

#include <bitpq/train/network_checkpoint.hpp>

#include <string_view>

namespace bitpq {
inline namespace v1 {

/// What a run is busy with.
enum class network_phase {
  calibrate,    ///< step: batches seen
  compress,     ///< step: as compress reports it, for instance iterations of k-means
  tune_layer,   ///< step: of those of this layer
  tune_global,  ///< step: of those of all layers together
};

constexpr const char* to_string(network_phase phase) noexcept {
  switch (phase) {
    case network_phase::calibrate: return "calibrate";
    case network_phase::compress: return "compress";
    case network_phase::tune_layer: return "tune_layer";
    case network_phase::tune_global: return "tune_global";
  }
  return "unknown";
}

struct network_progress {
  network_phase phase = network_phase::calibrate;
  std::string_view layer;                ///< its name, valid during the call; empty when all are tuned
  std::size_t index = 0;                 ///< its place
  std::size_t layers = 0;                ///< in all
  std::size_t step = 0;                  ///< that are done in this phase
  std::size_t steps = 0;                 ///< in all; 0 where that is not known
  std::optional<double> loss{};          ///< of the step
  double seconds = 0;                    ///< since the run began
  std::optional<double> seconds_left{};  ///< once there is something to estimate it from
};

/// Called after each step; false: stop. The run ends with a checkpoint and a valid student.
using network_progress_callback = std::function<bool(const network_progress&)>;

template <scalar T>
struct network_run {
  const network_checkpoint<T>* resume = nullptr;  ///< where to begin, with a student that is the teacher's copy again
  checkpoint_sink<T> checkpoint{};                ///< called after every layer, and when the run ends early
  std::size_t checkpoint_every = 0;               ///< and after as many steps of a phase; 0: not
  network_progress_callback progress{};
  std::size_t max_steps = (std::numeric_limits<std::size_t>::max)();  ///< of tuning in this run
  double max_seconds = (std::numeric_limits<double>::infinity)();     ///< after which no step is begun
};

}  // namespace v1
}  // namespace bitpq
