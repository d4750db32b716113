// SPDX-License-Identifier: Apache-2.0

// Says what is on photographs, by a network that runs on its codes (or on bitpq's dense layers, if nobody compressed
// it).

#include "engine/checkpoint.hpp"
#include "engine/session.hpp"
#include "imagenet/program.hpp"
#include "imagenet/step_times.hpp"

#include <bitpq/interop/openmp.hpp>

#include <cstdio>

namespace {

const std::string usage =
    "usage: classify MODEL.safetensors IMAGE_OR_FOLDER... [--classes FILE] [--resize PIXELS]\n"
    "       classify MODEL.safetensors [FOLDER] --labels TABLE [--agree COLUMN]\n"
    "       [--threads N] [--isa ISA] [--precision exact|lut16|int8 [--exact LAYERS]] [--plan]\n"
    "MODEL is a ResNet-18, 34, 50 or 101 or a SqueezeNet 1.1, compressed or not, layers named as in torchvision. The\n"
    "shorter side of an image is scaled to PIXELS (256), its middle of 224 x 224 is what the network sees; images of\n"
    "that size are taken as they are. TABLE: lines of file,class[,...] below a line of headings. LAYERS: a regular\n"
    "expression; layers of such names are computed exactly in any case. --plan: how each layer is, and how long it "
    "takes.\n";

/// A network that is loaded, and its session. Nothing of the file is kept but what runs.
class codes_classifier : public imagenet::classifier {
 public:
  explicit codes_classifier(const imagenet::options& o) {
    const int threads = o.threads == 0 ? omp_get_max_threads() : static_cast<int>(o.threads);
    if (threads > 1) executor_.emplace(threads);
    const auto how = [&o](const engine::node& step) {
      const bool exact = o.exact && std::regex_match(step.name, *o.exact);
      return engine::arithmetic{o.isa ? &bitpq::kernels_for<float>(*o.isa) : &bitpq::kernels<float>(),
                                exact ? bitpq::precision::exact : o.precision};
    };
    const engine::checkpoint file(o.model);
    name_ = file.name();
    file_bytes_ = file.file_bytes();
    net_ = engine::build_network(file.structure(), file.weights(), how);
    session_.emplace(net_, engine::tensor_shape{1, 3, imagenet::input_side, imagenet::input_side},
                     executor_ ? bitpq::executor_ref(*executor_) : bitpq::executor_ref());
    timed_ = o.plan;
  }

  float* input() override { return session_->input().data_handle(); }

  std::span<const float> answer() override {
    if (timed_)
      times_.answer(session_->steps(), [&](std::size_t i) { session_->run_step(i); });
    else
      session_->run();
    const engine::maps_in logits = session_->output();
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
    return times_.table([&](std::size_t i) { return net_.structure().nodes[i].name; },
                        [&](std::size_t i) { return session_->path(i); });
  }

 private:
  std::optional<bitpq::openmp_executor> executor_;
  std::string name_;
  std::size_t file_bytes_ = 0;
  engine::network net_;
  std::optional<engine::session> session_;
  bool timed_ = false;
  imagenet::step_times times_;
};

}  // namespace

int main(int argc, char** argv) {
  return imagenet::run_program(argc, argv, usage, true,
                               [](const imagenet::options& o) { return std::make_unique<codes_classifier>(o); });
}
