// SPDX-License-Identifier: Apache-2.0
#pragma once

// What compress_network has done.

#include <bitpq/quantize/compress.hpp>

#include <string>

namespace bitpq {
inline namespace v1 {

/// Losses are those of one batch, the phase's first, before its steps and after all of them.
struct tuning_report {
  std::size_t steps = 0;  ///< that were done
  std::size_t moved = 0;  ///< codes that a refresh has moved
  std::optional<double> loss_before{};
  std::optional<double> loss_after{};  ///< nothing where the run ended first

  friend bool operator==(const tuning_report&, const tuning_report&) = default;
};

/// What happened to one layer.
struct tuned_layer_report {
  std::string name;
  layer_report compression;  ///< when it was compressed; tuning then moves it away from its dense weights
  tuning_report tuning;
};

/// Why a run ended.
enum class run_end {
  finished,
  steps_spent,    ///< of the budget: layers that were left are compressed, but not tuned
  seconds_spent,  ///< the same
  cancelled,      ///< by the progress callback: layers that were left are dense
};

constexpr const char* to_string(run_end end) noexcept {
  switch (end) {
    case run_end::finished: return "finished";
    case run_end::steps_spent: return "steps_spent";
    case run_end::seconds_spent: return "seconds_spent";
    case run_end::cancelled: return "cancelled";
  }
  return "unknown";
}

struct network_report {
  std::vector<tuned_layer_report> layers;  ///< that are compressed
  tuning_report global;
  run_end end = run_end::finished;
  std::size_t steps = 0;  ///< of this run
  double seconds = 0;     ///< of this run
};

}  // namespace v1
}  // namespace bitpq
