// SPDX-License-Identifier: Apache-2.0

#include "engine/find_architecture.hpp"
#include "support/catch.hpp"
#include "support/expect_error.hpp"

using engine::find_architecture;
using engine::layer_rows;

namespace {

layer_rows layers_of(const engine::graph& structure) {
  layer_rows layers;
  for (const engine::node& step : structure.nodes)
    if (step.type == engine::node::kind::layer) layers.emplace(step.name, step.geometry.rows());
  return layers;
}

}  // namespace

TEST_CASE("a network is known by its layers") {
  for (const std::size_t depth : std::initializer_list<std::size_t>{18, 34, 50, 101}) {
    const engine::architecture found = find_architecture(layers_of(engine::resnet(depth, 10)), "a file");
    CHECK(found.name == "ResNet-" + std::to_string(depth));
    CHECK(found.structure.nodes.back().geometry.rows() == 10);
  }
  const engine::architecture found = find_architecture(layers_of(engine::squeezenet1_1(7)), "a file");
  CHECK(found.name == "SqueezeNet 1.1");
}

TEST_CASE("another network is refused by the first layer that is missing, or that nobody knows") {
  layer_rows layers = layers_of(engine::resnet(50));
  layers.erase("layer3.2.conv2");
  bitpq_test::expect_error(
      bitpq::errc::bad_params,
      "a file holds none of the networks known here; nearest is ResNet-50, whose layer layer3.2.conv2 is missing",
      [&] { static_cast<void>(find_architecture(layers, "a file")); });
  layers = layers_of(engine::resnet(101));
  layers.emplace("layer3.23.conv1", 256);  // a ResNet-152 has more blocks
  const std::string none = "a file holds none of the networks known here; ";
  bitpq_test::expect_error(bitpq::errc::bad_params, none + "nearest is ResNet-101, which has no layer layer3.23.conv1",
                           [&] { static_cast<void>(find_architecture(layers, "a file")); });
  bitpq_test::expect_error(bitpq::errc::bad_params, none + "nearest is ResNet-18, whose layer conv1 is missing", [&] {
    static_cast<void>(find_architecture({{"blocks.0.attn.qkv", 576}}, "a file"));
  });
}
