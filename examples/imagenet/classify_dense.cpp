// SPDX-License-Identifier: Apache-2.0

// The same network as `classify` on the same images, but dense, on oneDNN: for comparison.

#include "engine/checkpoint.hpp"
#include "engine/onednn_network.hpp"
#include "imagenet/program.hpp"
#include "imagenet/step_times.hpp"

#include <omp.h>

#include <cstdio>

namespace {

const std::string usage =
    "usage: classify_dense MODEL.safetensors IMAGE_OR_FOLDER... [--classes FILE] [--resize PIXELS] [--threads N]\n"
    "                      [--plan]\n"
    "       classify_dense MODEL.safetensors [FOLDER] --labels TABLE [--agree COLUMN]\n"
    "As classify, but weights are decoded first, and the network runs dense, in float, on oneDNN.\n";

class dense_classifier : public imagenet::classifier {
 public:
  explicit dense_classifier(const imagenet::options& o) {
    if (o.threads > 0) omp_set_num_threads(static_cast<int>(o.threads));
    const engine::checkpoint file(o.model);
    name_ = file.name();
    for (const engine::node& step : file.structure().nodes) names_.push_back(step.name);
    timed_ = o.plan;
    classes_ = classes_of(file.structure());
    net_ = std::make_unique<engine::onednn_network>(
        file.structure(), file.weights(), engine::tensor_shape{1, 3, imagenet::input_side, imagenet::input_side});
  }

  float* input() override { return net_->input(); }
  std::span<const float> answer() override {
    if (!timed_) return net_->run();
    times_.answer(net_->steps(), [&](std::size_t i) { net_->run_step(i); });
    return net_->output();
  }
  [[nodiscard]] std::string plan() const override {
    return times_.table([&](std::size_t i) { return names_[i]; },
                        [&](std::size_t i) { return net_->implementation(i); });
  }
  [[nodiscard]] std::size_t classes() const override { return classes_; }
  [[nodiscard]] std::string about() const override {
    char line[160];
    std::snprintf(line, sizeof line, "%s on oneDNN: weights in memory %.2f MB, activations %.2f MB", name_.c_str(),
                  static_cast<double>(net_->weight_bytes()) / 1e6, static_cast<double>(net_->activation_bytes()) / 1e6);
    return line;
  }

 private:
  /// Outputs of the last layer; an average may come after it.
  static std::size_t classes_of(const engine::graph& structure) {
    std::size_t classes = 0;
    for (const engine::node& step : structure.nodes)
      if (step.type == engine::node::kind::layer) classes = step.geometry.out_channels;
    return classes;
  }

  std::string name_;
  std::vector<std::string> names_;  // of the steps
  std::size_t classes_ = 0;
  bool timed_ = false;
  imagenet::step_times times_;
  std::unique_ptr<engine::onednn_network> net_;
};

}  // namespace

int main(int argc, char** argv) {
  return imagenet::run_program(argc, argv, usage, false,
                               [](const imagenet::options& o) { return std::make_unique<dense_classifier>(o); });
}
