// SPDX-License-Identifier: Apache-2.0
#pragma once

// Where compress_network stands, as plain data: a run that begins with it continues to the same bits as one that was
// never interrupted. interop/checkpoint_file.hpp keeps it as a file.

#include <bitpq/train/network.hpp>
#include <bitpq/train/network_report.hpp>
#include <bitpq/train/optimizer_state.hpp>

namespace bitpq {
inline namespace v1 {

/// A layer that is compressed.
template <scalar T>
struct layer_checkpoint {
  tuned_layer_report report;
  pq_matrix<T> weights;                           ///< as the student has them, codewords rounded to their storage
  std::vector<T> codewords;                       ///< the same unrounded, which is what steps move
  std::optional<optimizer_state<T>> optimizer{};  ///< while they are tuned
};

/// What a run is about, by what it is called: layers, weights, every parameter.
using run_fingerprint = std::map<std::string, std::string, std::less<>>;

template <scalar T>
struct network_checkpoint {
  run_fingerprint fingerprint;
  std::vector<layer_checkpoint<T>> layers;  ///< all but the last are tuned as far as they are alone
  bool global = false;                      ///< whether all of them are being tuned together
  tuning_report global_tuning{};
  host_state<T> host{};
};

/// Takes a checkpoint, for instance to a file; what it throws ends the run.
template <scalar T>
using checkpoint_sink = std::function<void(const network_checkpoint<T>&)>;

}  // namespace v1
}  // namespace bitpq
