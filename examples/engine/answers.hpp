// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a network says about many images, and how that compares with another's answers and with the truth.

#include "engine/activations.hpp"

#include <bitpq/train/distillation.hpp>

#include <algorithm>
#include <vector>

namespace engine {

/// Logits, one row per image.
using answers = std::vector<std::vector<float>>;

inline answers answers_of(const network& net, const image_source& images, bitpq::executor_ref exec) {
  constexpr std::size_t batch = 64;
  answers all;
  for (std::size_t first = 0; first < images.count; first += batch) {
    const std::size_t n = std::min(batch, images.count - first);
    const tensor logits = net.forward(images.batch(first, n), exec);
    for (std::size_t i = 0; i < n; ++i)
      all.emplace_back(logits.data() + i * logits.channels(), logits.data() + (i + 1) * logits.channels());
  }
  return all;
}

/// The mean divergence of the student's softmax from the teacher's, in nats. Both have answered the same images.
inline double mean_divergence(const answers& teacher, const answers& student) {
  const auto row = [](const std::vector<float>& logits) {
    return bitpq::matrix_view<const float>(logits.data(), 1, logits.size());
  };
  std::vector<float> gradient(teacher.at(0).size());
  double sum = 0;
  for (std::size_t i = 0; i < teacher.size(); ++i)
    sum += bitpq::distillation_loss<float>(row(student[i]), row(teacher[i]), 1, {gradient.data(), 1, gradient.size()});
  return sum / static_cast<double>(teacher.size());
}

/// How many per cent have the right class on top.
inline double top1(const answers& given, const std::vector<std::size_t>& labels) {
  std::size_t right = 0;
  for (std::size_t i = 0; i < given.size(); ++i) {
    const auto best = std::max_element(given[i].begin(), given[i].end()) - given[i].begin();
    right += static_cast<std::size_t>(best) == labels[i] ? 1 : 0;
  }
  return 100.0 * static_cast<double>(right) / static_cast<double>(given.size());
}

}  // namespace engine
