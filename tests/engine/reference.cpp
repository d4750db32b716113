// SPDX-License-Identifier: Apache-2.0

// Logits and preprocessing against torch's, on the evaluation data where it is there.

#include "engine/architectures.hpp"
#include "engine/image_folder.hpp"
#include "engine/weights.hpp"
#include "engine_data.hpp"
#include "support/catch.hpp"

using engine::tensor;
using engine_test::values_of;

namespace {

const std::filesystem::path data = BITPQ_EVALUATION_DATA;

tensor tensor_of(const bitpq::safetensors_reader& file, const std::string& name) {
  const auto& shape = file[name].shape;
  tensor x(shape.at(0), shape.at(1), shape.at(2), shape.at(3));
  const std::vector<float> values = file.values<float>(name);
  std::copy(values.begin(), values.end(), x.data());
  return x;
}

double largest_difference(const tensor& got, const std::vector<float>& want) {
  const std::vector<double> values = values_of(got);
  REQUIRE(values.size() == want.size());
  double largest = 0;
  for (std::size_t i = 0; i < want.size(); ++i)
    largest = std::max(largest, std::abs(values[i] - static_cast<double>(want[i])));
  return largest;
}

}  // namespace

TEST_CASE("a ResNet-18's logits are torch's") {
  if (!exists(data / "imagenette")) BITPQ_TEST_SKIP("no " << data / "imagenette");
  const auto net = engine::load_trained(engine::resnet(18, 10),
                                        bitpq::safetensors_reader(data / "imagenette" / "resnet18.safetensors"));
  CHECK(net.parameters == 11'181'642);
  const bitpq::safetensors_reader reference(data / "imagenette" / "reference.safetensors");
  const tensor logits = net.net.forward(tensor_of(reference, "input"), {});
  CHECK(largest_difference(logits, reference.values<float>("logits")) < 1e-3);
}

TEST_CASE("SqueezeNet's logits are torch's") {
  if (!exists(data / "imagenet-dev")) BITPQ_TEST_SKIP("no " << data / "imagenet-dev");
  const auto net =
      engine::load_trained(engine::squeezenet1_1(), bitpq::safetensors_reader(data / "squeezenet1_1.safetensors"));
  const bitpq::safetensors_reader reference(data / "imagenet-dev" / "reference.safetensors");
  const tensor logits = net.net.forward(tensor_of(reference, "input"), {});
  CHECK(largest_difference(logits, reference.values<float>("logits.squeezenet1_1")) < 1e-3);
}
