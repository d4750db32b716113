// SPDX-License-Identifier: Apache-2.0
#pragma once

// Where every tensor of a network lies, decided once: all of them in one block of memory, in which tensors that are
// never needed at the same time share their place. Outputs that have a residual are written over it, and maps that will
// be put side by side are made side by side.

#include "engine/shapes.hpp"

#include <algorithm>
#include <numeric>

namespace engine {

/// A tensor's place, counted in elements.
struct placement {
  tensor_shape shape;
  std::size_t offset = 0;
  std::size_t image = 0;  ///< from one image to the next
};

class memory_plan {
 public:
  /// For inputs of that shape. Throws bad_shape where the network cannot take them.
  memory_plan(const graph& structure, const tensor_shape& input) : places_(structure.nodes.size() + 1) {
    places_[0].shape = input;
    for (std::size_t i = 0; i < structure.nodes.size(); ++i)
      places_[i + 1].shape = output_shape(structure.nodes[i], [&](std::size_t t) { return places_[t].shape; });
    find_guests(structure);
    place_hosts(structure);
  }

  /// Of tensor t, numbered as in the graph.
  [[nodiscard]] const placement& operator[](std::size_t t) const noexcept { return places_[t]; }
  /// Elements of the whole block.
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

 private:
  /// A tensor that lies within another one, from that element of each of its images on.
  struct guest {
    std::size_t host;
    std::size_t from = 0;
  };
  struct lifetime {
    std::size_t born, dies;
  };

  void find_guests(const graph& structure) {
    guests_.resize(places_.size());
    for (std::size_t t = 0; t < guests_.size(); ++t) guests_[t] = {t};
    const std::vector<std::size_t> last = structure.last_readers();
    for (std::size_t i = 0; i < structure.nodes.size(); ++i) {
      const node& step = structure.nodes[i];
      if (step.inputs.size() < 2 || step.inputs[0] == step.inputs[1]) continue;
      if (step.type == node::kind::layer && last[step.inputs[1]] == i) guests_[i + 1] = {step.inputs[1]};
      if (step.type != node::kind::concat) continue;
      std::size_t from = 0;
      for (const std::size_t t : step.inputs) {
        // What already lies within another tensor, or has guests that could not follow it, is copied.
        if (last[t] == i && guests_[t].host == t && t > 0) guests_[t] = {i + 1, from};
        from += places_[t].shape.size() / places_[t].shape.n;
      }
    }
  }

  /// The tensor in which t lies in the end; adds up in `from` where.
  [[nodiscard]] std::size_t host_of(std::size_t t, std::size_t& from) const {
    for (; guests_[t].host != t; t = guests_[t].host) from += guests_[t].from;
    return t;
  }

  /// The largest first, each at the lowest offset at which nothing lies that lives at the same time.
  void place_hosts(const graph& structure) {
    const std::vector<std::size_t> last = structure.last_readers();
    std::vector<lifetime> lives(places_.size());
    std::vector<std::size_t> hosts, from(places_.size());
    for (std::size_t t = 0; t < places_.size(); ++t) lives[t] = {t, last[t] + 1};  // step i reads at time i + 1
    for (std::size_t t = 0; t < places_.size(); ++t) {
      const std::size_t host = host_of(t, from[t]);
      if (host == t) hosts.push_back(t);
      lives[host] = {std::min(lives[host].born, lives[t].born), std::max(lives[host].dies, lives[t].dies)};
    }
    std::stable_sort(hosts.begin(), hosts.end(),
                     [&](std::size_t a, std::size_t b) { return places_[a].shape.size() > places_[b].shape.size(); });
    std::vector<std::size_t> placed;
    for (const std::size_t t : hosts) {
      places_[t].offset = lowest_offset(t, placed, lives);
      places_[t].image = places_[t].shape.size() / places_[t].shape.n;
      placed.push_back(t);
      size_ = std::max(size_, places_[t].offset + room_for(t));
    }
    for (std::size_t t = 0; t < places_.size(); ++t) {
      std::size_t none = 0;
      const placement& host = places_[host_of(t, none)];
      places_[t].offset = host.offset + from[t];
      places_[t].image = host.image;
    }
  }

  [[nodiscard]] std::size_t lowest_offset(std::size_t t, const std::vector<std::size_t>& placed,
                                          const std::vector<lifetime>& lives) const {
    std::vector<std::pair<std::size_t, std::size_t>> taken;  // from, to
    for (const std::size_t other : placed)
      if (lives[other].born <= lives[t].dies && lives[t].born <= lives[other].dies)
        taken.emplace_back(places_[other].offset, places_[other].offset + room_for(other));
    std::sort(taken.begin(), taken.end());
    std::size_t offset = 0;
    for (const auto& [begin, end] : taken) {
      if (offset + room_for(t) <= begin) break;
      offset = std::max(offset, end);
    }
    return offset;
  }

  /// Elements of a tensor, in whole cache lines.
  [[nodiscard]] std::size_t room_for(std::size_t t) const noexcept {
    return bitpq::round_up(places_[t].shape.size(), bitpq::buffer_alignment / sizeof(float));
  }

  std::vector<placement> places_;
  std::vector<guest> guests_;
  std::size_t size_ = 0;
};

}  // namespace engine
