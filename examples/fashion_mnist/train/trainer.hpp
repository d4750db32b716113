// SPDX-License-Identifier: Apache-2.0
#pragma once

// Supervised training of the teacher: SGD with Nesterov momentum, warm-up then cosine learning rate, label
// smoothing, distorted images; a checkpoint after each epoch.

#include "batches.hpp"
#include "checkpoint.hpp"
#include "network.hpp"
#include "options.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <vector>

#include <torch/torch.h>

namespace fashion_mnist {

/// Share of the images whose largest logit is the label's, network in evaluation mode.
inline double accuracy(teacher& network, const image_set& set) {
  const torch::NoGradGuard no_gradient;
  network->eval();
  std::int64_t right = 0;
  for (std::size_t first = 0; first < set.count(); first += 500) {
    const batch b = plain_batch(set, first, std::min<std::size_t>(500, set.count() - first));
    right += network->forward(b.images).argmax(1).eq(b.labels).sum().item<std::int64_t>();
  }
  return static_cast<double>(right) / static_cast<double>(set.count());
}

class trainer {
 public:
  trainer(const options& o, const image_set& training, const image_set& test)
      : options_(o), training_(training), test_(test), optimizer_(make_optimizer()), distortion_{2, 0.5, o.erase} {
    // Whole batches only: batch norm would take the statistics of a small remainder as seriously as a full
    // batch's.
    steps_per_epoch_ = training.count() / o.batch;
    if (steps_per_epoch_ == 0) throw usage_error("--batch exceeds the number of training images");
  }

  /// Trains to the last epoch (from the checkpoint if asked). False if --steps ended the run before.
  bool run() {
    std::size_t epoch = options_.resume ? load_checkpoint(options_, network_, optimizer_) : 0;
    first_step_ = epoch * steps_per_epoch_;
    begin_ = clock::now();
    for (; epoch < options_.epochs; ++epoch) {
      if (!train_epoch(epoch)) return false;
      save_checkpoint(options_, network_, optimizer_, epoch + 1);
      std::printf("epoch %zu of %zu done: test accuracy %.2f %%, %.0f s\n", epoch + 1, options_.epochs,
                  100 * accuracy(network_, test_), elapsed());
      std::fflush(stdout);
    }
    return true;
  }

  teacher& network() noexcept { return network_; }

 private:
  using clock = std::chrono::steady_clock;

  /// Weights decay; batch-norm parameters and biases (one dimension) do not.
  torch::optim::SGD make_optimizer() {
    std::vector<torch::Tensor> decayed;
    std::vector<torch::Tensor> free;
    for (const auto& p : network_->parameters()) (p.dim() > 1 ? decayed : free).push_back(p);
    const auto settings = [this](double decay) {
      return std::make_unique<torch::optim::SGDOptions>(
          torch::optim::SGDOptions(options_.peak_rate).momentum(0.9).nesterov(true).weight_decay(decay));
    };
    return torch::optim::SGD(
        std::vector<torch::optim::OptimizerParamGroup>{{decayed, settings(options_.weight_decay)}, {free, settings(0)}},
        torch::optim::SGDOptions(options_.peak_rate));
  }

  /// Linear over the first 15 % of the steps up to the peak, then half a cosine down to zero.
  double rate_at(std::size_t step) const {
    const double at = static_cast<double>(step + 1) / static_cast<double>(options_.epochs * steps_per_epoch_);
    constexpr double warm = 0.15;
    constexpr double pi = 3.14159265358979323846;
    const double share = at < warm ? at / warm : 0.5 + 0.5 * std::cos(pi * (at - warm) / (1 - warm));
    return options_.peak_rate * share;
  }

  /// One pass in a random order; false if --steps ended it.
  bool train_epoch(std::size_t epoch) {
    epoch_random random(options_.seed, epoch);
    const auto order = shuffled(training_.count(), random);
    network_->train();
    double loss_sum = 0;
    for (std::size_t i = 0; i < steps_per_epoch_; ++i) {
      const std::size_t step = epoch * steps_per_epoch_ + i;
      const batch b = training_batch(training_, order.data() + i * options_.batch, options_.batch, distortion_, random);
      loss_sum += train_step(b, rate_at(step));
      if ((i + 1) % 50 == 0) {
        report(step + 1, loss_sum / 50);
        loss_sum = 0;
      }
      if (step + 1 == options_.steps) return false;
    }
    return true;
  }

  double train_step(const batch& b, double rate) {
    for (auto& group : optimizer_.param_groups()) group.options().set_lr(rate);
    optimizer_.zero_grad();
    const auto how = torch::nn::functional::CrossEntropyFuncOptions().label_smoothing(options_.label_smoothing);
    auto loss = torch::nn::functional::cross_entropy(network_->forward(b.images), b.labels, how);
    loss.backward();
    optimizer_.step();
    const double value = loss.item<double>();
    if (!std::isfinite(value)) throw std::runtime_error("the loss is not finite: try a lower --rate");
    return value;
  }

  void report(std::size_t steps_done, double loss) const {
    const std::size_t total = options_.epochs * steps_per_epoch_;
    const double per_step = elapsed() / static_cast<double>(steps_done - first_step_);
    std::printf("epoch %zu step %zu of %zu  loss %.4f  %.3f s/step  %.1f min left\n",
                (steps_done - 1) / steps_per_epoch_ + 1, steps_done, total, loss, per_step,
                per_step * static_cast<double>(total - steps_done) / 60);
    std::fflush(stdout);
  }

  double elapsed() const { return std::chrono::duration<double>(clock::now() - begin_).count(); }

  const options& options_;
  const image_set& training_;
  const image_set& test_;
  teacher network_;
  torch::optim::SGD optimizer_;
  distortion distortion_;
  std::size_t steps_per_epoch_ = 0;
  std::size_t first_step_ = 0;
  clock::time_point begin_;
};

}  // namespace fashion_mnist
