// SPDX-License-Identifier: Apache-2.0

// Says what is on photographs, by a network that runs on its codes (or on bitpq's dense layers, if nobody compressed
// it).

#include "engine/checkpoint.hpp"
#include "engine/session.hpp"
#include "imagenet/program.hpp"

#include <bitpq/interop/openmp.hpp>

#include <chrono>
#include <cstdio>

namespace {

const std::string usage =
    "usage: classify MODEL.safetensors IMAGE_OR_FOLDER... [--classes FILE] [--resize PIXELS]\n"
    "       classify MODEL.safetensors [FOLDER] --labels TABLE [--agree COLUMN]\n"
    "       [--threads N] [--isa ISA] [--precision exact|lut16|int8] [--plan]\n"
    "MODEL is a ResNet-18, 34, 50 or 101 or a SqueezeNet 1.1, compressed or not, layers named as in torchvision. The\n"
    "shorter side of an image is scaled to PIXELS (256), its middle of 224 x 224 is what the network sees; images of\n"
    "that size are taken as they are. TABLE: lines of file,class[,...] below a line of headings.\n";

/// A network that is loaded, and its session. Nothing of the file is kept but what runs.
class codes_classifier : public imagenet::classifier {
 public:
  explicit codes_classifier(const imagenet::options& o) {
    const int threads = o.threads == 0 ? omp_get_max_threads() : static_cast<int>(o.threads);
    if (threads > 1) executor_.emplace(threads);
    const engine::arithmetic how{o.isa ? &bitpq::kernels_for<float>(*o.isa) : &bitpq::kernels<float>(), o.precision};
    const engine::checkpoint file(o.model);
    name_ = file.name();
    file_bytes_ = file.file_bytes();
    net_ = engine::build_network(file.structure(), file.weights(), how);
    session_.emplace(net_, engine::tensor_shape{1, 3, imagenet::input_side, imagenet::input_side},
                     executor_ ? bitpq::executor_ref(*executor_) : bitpq::executor_ref());
    seconds_.resize(session_->steps());
    timed_ = o.plan;
  }

  float* input() override { return session_->input().data_handle(); }

  std::span<const float> answer() override {
    if (timed_) return timed_answer();
    const engine::maps_in logits = session_->run();
    return {logits.data_handle(), logits.channels()};
  }

  [[nodiscard]] std::size_t classes() const override { return session_->plan()[session_->steps()].shape.c; }

  [[nodiscard]] std::string about() const override {
    const auto mb = [](std::size_t bytes) { return static_cast<double>(bytes) / 1e6; };
    char line[160];
    std::snprintf(line, sizeof line, "%s: file %.2f MB, weights in memory %.2f MB, activations %.2f MB", name_.c_str(),
                  mb(file_bytes_), mb(net_.weight_bytes()), mb(session_->activation_bytes()));
    return line;
  }

  [[nodiscard]] std::string plan() const override {
    double all = 0;
    for (const double s : seconds_) all += s;
    std::string text;
    char line[160];
    for (std::size_t i = 0; i < seconds_.size(); ++i) {
      std::snprintf(line, sizeof line, "%-24s %-10s %8.3f ms %6.2f %%\n", net_.structure().nodes[i].name.c_str(),
                    session_->path(i).c_str(), 1e3 * seconds_[i] / runs_, 100 * seconds_[i] / all);
      text += line;
    }
    std::snprintf(line, sizeof line, "%-24s %-10s %8.3f ms\n", "", "all", 1e3 * all / runs_);
    return text + line;
  }

 private:
  /// The first answer warms up and is not counted.
  std::span<const float> timed_answer() {
    using clock = std::chrono::steady_clock;
    for (std::size_t i = 0; i < seconds_.size(); ++i) {
      const auto start = clock::now();
      session_->run_step(i);
      if (warm_) seconds_[i] += std::chrono::duration<double>(clock::now() - start).count();
    }
    runs_ += warm_ ? 1 : 0;
    warm_ = true;
    const engine::maps_in logits = session_->output();
    return {logits.data_handle(), logits.channels()};
  }

  std::optional<bitpq::openmp_executor> executor_;
  std::string name_;
  std::size_t file_bytes_ = 0;
  engine::network net_;
  std::optional<engine::session> session_;
  bool timed_ = false, warm_ = false;
  std::vector<double> seconds_;  // of each step, of all answers
  double runs_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  return imagenet::run_program(argc, argv, usage, true,
                               [](const imagenet::options& o) { return std::make_unique<codes_classifier>(o); });
}
