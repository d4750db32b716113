// SPDX-License-Identifier: Apache-2.0
#pragma once

// Accuracy and time of several networks on the same images, batch by batch in turn, so that a busy machine slows all of
// them alike.

#include "engine/progress_bar.hpp"
#include "fashion_mnist/network.hpp"

#include <algorithm>
#include <chrono>

namespace fashion_mnist {

struct evaluation {
  double top1 = 0;          ///< per cent
  double ms_per_image = 0;  ///< median over the batches
};

inline std::size_t count_correct(const engine::tensor& logits, const std::uint8_t* labels) {
  std::size_t correct = 0;
  for (std::size_t i = 0; i < logits.batch(); ++i) {
    const float* const row = logits.data() + i * class_count;
    correct += static_cast<std::size_t>(std::max_element(row, row + class_count) - row) == labels[i] ? 1 : 0;
  }
  return correct;
}

inline std::vector<evaluation> evaluate(const std::vector<const engine::network*>& networks, const image_set& images,
                                        std::size_t batch, bitpq::executor_ref exec) {
  std::vector<std::size_t> correct(networks.size());
  std::vector<std::vector<double>> times(networks.size());
  engine::progress_bar bar("evaluating", bitpq::ceil_div(images.count(), batch));
  for (std::size_t first = 0; first < images.count(); first += batch) {
    const std::size_t n = std::min(batch, images.count() - first);
    for (std::size_t k = 0; k < networks.size(); ++k) {
      engine::tensor x = batch_of(images, first, n);
      const auto start = std::chrono::steady_clock::now();
      const engine::tensor logits = networks[k]->forward(std::move(x), exec);
      const std::chrono::duration<double, std::milli> elapsed = std::chrono::steady_clock::now() - start;
      times[k].push_back(elapsed.count() / static_cast<double>(n));
      correct[k] += count_correct(logits, images.labels.data() + first);
    }
    bar.advance();
  }
  std::vector<evaluation> results(networks.size());
  for (std::size_t k = 0; k < networks.size(); ++k) {
    results[k].top1 = 100.0 * static_cast<double>(correct[k]) / static_cast<double>(images.count());
    const auto middle = times[k].begin() + static_cast<std::ptrdiff_t>(times[k].size() / 2);
    std::nth_element(times[k].begin(), middle, times[k].end());
    results[k].ms_per_image = *middle;
  }
  return results;
}

}  // namespace fashion_mnist
