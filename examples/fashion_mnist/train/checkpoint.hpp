// SPDX-License-Identifier: Apache-2.0
#pragma once

// The state of a training run between two epochs: network, optimizer, epochs done, and the settings that must
// not change on the way (a run resumed under other settings would be neither the old run nor a new one).

#include "network.hpp"
#include "options.hpp"

#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include <torch/torch.h>

namespace fashion_mnist {

namespace detail {

inline torch::Tensor settings(const options& o) {
  return torch::tensor({static_cast<double>(o.epochs), static_cast<double>(o.batch), static_cast<double>(o.seed),
                        o.peak_rate, o.weight_decay, o.label_smoothing, o.erase},
                       torch::kFloat64);
}

}  // namespace detail

/// Saves beside `o.checkpoint` and renames, so that an interruption leaves the last whole checkpoint.
inline void save_checkpoint(const options& o, const teacher& network, const torch::optim::SGD& optimizer,
                            std::size_t epochs_done) {
  torch::serialize::OutputArchive archive;
  torch::serialize::OutputArchive network_part;
  torch::serialize::OutputArchive optimizer_part;
  network->save(network_part);
  optimizer.save(optimizer_part);
  archive.write("network", network_part);
  archive.write("optimizer", optimizer_part);
  archive.write("settings", detail::settings(o));
  archive.write("epochs_done", torch::tensor(static_cast<std::int64_t>(epochs_done)));
  const std::string beside = o.checkpoint + ".part";
  archive.save_to(beside);
  std::filesystem::rename(beside, o.checkpoint);
}

/// Restores network and optimizer; returns the epochs done. Throws std::runtime_error if there is no
/// checkpoint or it was made under other settings.
inline std::size_t load_checkpoint(const options& o, teacher& network, torch::optim::SGD& optimizer) {
  if (!std::filesystem::exists(o.checkpoint)) {
    throw std::runtime_error(o.checkpoint + ": no checkpoint to resume from");
  }
  torch::serialize::InputArchive archive;
  archive.load_from(o.checkpoint);
  torch::Tensor settings;
  torch::Tensor epochs_done;
  archive.read("settings", settings);
  archive.read("epochs_done", epochs_done);
  if (!torch::equal(settings, detail::settings(o))) {
    throw std::runtime_error(o.checkpoint +
                             ": made with other epochs, batch, seed, rate, weight decay, label "
                             "smoothing or erase; give the same ones to resume");
  }
  torch::serialize::InputArchive network_part;
  torch::serialize::InputArchive optimizer_part;
  archive.read("network", network_part);
  archive.read("optimizer", optimizer_part);
  network->load(network_part);
  optimizer.load(optimizer_part);
  return static_cast<std::size_t>(epochs_done.item<std::int64_t>());
}

}  // namespace fashion_mnist
