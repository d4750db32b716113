// SPDX-License-Identifier: Apache-2.0

// What the LibTorch example is made of, on a narrow ResNet-18 and made-up images.

#include "engine/torch_host.hpp"
#include "engine/torch_resnet18.hpp"
#include "support/expect_error.hpp"
#include "support/paths.hpp"

#include <bitpq/core/random.hpp>

using bitpq::errc;

namespace {

constexpr std::int64_t classes = 5, width = 8;

const engine::image_source images{12, [](std::size_t first, std::size_t n) {
                                    engine::tensor batch(n, 3, 32, 32);
                                    const bitpq::random_stream random(1, 0);
                                    const std::size_t each = batch.shape().size() / n;
                                    for (std::size_t i = 0; i < n * each; ++i)
                                      batch.data()[i] = static_cast<float>(random.normal(first * each + i));
                                    return batch;
                                  }};

bitpq::torch::module_params quick_params() {
  bitpq::torch::module_params params;
  params.network.select = [](const std::string& name) { return name != "conv1"; };
  params.compression.layer = [](std::size_t, const bitpq::network_layer& l) {
    bitpq::pq_params pq = bitpq::params_of(bitpq::preset::fast, l.geometry);
    pq.codewords = 4;
    pq.max_iterations = 2;
    return pq;
  };
  params.compression.global_tuning = {.steps = 2, .rate = [](std::size_t) { return 1e-3; }};
  return params;
}

}  // namespace

TEST_CASE("a checkpoint under torchvision's names, compressed, written and read back") {
  const bitpq_test::temp_dir folder;
  torch::manual_seed(1);
  const auto trained = std::make_shared<engine::dense_resnet18>(classes, width);
  bitpq::torch::save_module(folder / "trained.safetensors", *trained);
  const bitpq::safetensors_reader file(folder / "trained.safetensors");
  for (const char* name :
       {"conv1.weight", "bn1.running_var", "layer2.0.downsample.0.weight", "layer4.1.bn2.bias", "fc.bias"})
    CHECK(file.contains(name));

  const auto net = std::make_shared<engine::coded_resnet18>(classes, width);
  engine::load_weights(*net, file);
  const engine::answers before = engine::answers_of(*net, images);
  CHECK(before == engine::answers_of(*trained, images));

  const auto report = bitpq::torch::compress_module(net, engine::in_batches(images, 5), quick_params());
  CHECK(report.on_codes.size() == 20);
  CHECK(report.decoded.empty());
  const engine::answers after = engine::answers_of(*net, images);
  CHECK(after != before);
  bitpq::torch::save_module(folder / "compressed.safetensors", *net, report.codes);
  const auto read = std::make_shared<engine::coded_resnet18>(classes, width);
  bitpq::torch::load_module(folder / "compressed.safetensors", *read);
  CHECK(engine::answers_of(*read, images) == after);
}

TEST_CASE("weights of another network are refused by name") {
  const bitpq_test::temp_dir folder;
  bitpq::torch::save_module(folder / "a.safetensors", engine::dense_resnet18(classes, width));
  const bitpq::safetensors_reader file(folder / "a.safetensors");
  engine::dense_resnet18 other(classes + 1, width);
  bitpq_test::expect_error(errc::bad_shape, file.file_name() + ": fc.weight has 320 elements, expected 384",
                           [&] { engine::load_weights(other, file); });
}
