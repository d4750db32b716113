// SPDX-License-Identifier: Apache-2.0

#include "engine/weights.hpp"
#include "engine/architectures.hpp"
#include "engine_data.hpp"
#include "support/catch.hpp"
#include "support/expect_error.hpp"
#include "support/paths.hpp"
#include "support/random_pq.hpp"

using engine_test::values_of;

namespace {

engine::graph small_net() {
  engine::graph_builder build(1);
  build.linear("fc", build.global_average_pool(build.conv("conv1", 0, 2, {1, 1, 0, false, "bn1"})), 2);
  return build.take();
}

using named_values = std::map<std::string, std::vector<float>>;

/// The tensors of small_net: y0 = 2 x, y1 = 3 x, then batch norm, then a linear layer that swaps the two.
named_values tensors() {
  return {{"conv1.weight", {2, 3}},    {"bn1.weight", {4, 1}},      {"bn1.bias", {5, 0}}, {"bn1.running_mean", {1, 1}},
          {"bn1.running_var", {4, 1}}, {"fc.weight", {0, 1, 1, 0}}, {"fc.bias", {0, 10}}};
}

engine::trained_network load(const named_values& values) {
  const bitpq_test::temp_dir dir;
  std::vector<bitpq::tensor_view> views;
  for (const auto& [name, v] : values)
    views.push_back({name, bitpq::dtype::f32, {v.size()}, std::as_bytes(std::span(v))});
  bitpq::write_safetensors(dir / "net.safetensors", views);
  return engine::load_trained(small_net(), bitpq::safetensors_reader(dir / "net.safetensors"));
}

std::vector<double> run(const engine::network& net, float x) {
  engine::tensor input(1, 1, 1, 1);
  input.data()[0] = x;
  return values_of(net.forward(std::move(input), {}));
}

}  // namespace

TEST_CASE("batch norms are folded into weights and bias") {
  const engine::trained_network net = load(tensors());
  CHECK(net.parameters == 2 + 4 + 4 + 2);
  const std::vector<double> y = run(net.net, 1);  // (2 - 1) / 2 * 4 + 5 and 3 - 1, swapped
  CHECK(y[0] == Approx(2).epsilon(1e-4));
  CHECK(y[1] == Approx(17).epsilon(1e-4));
}

TEST_CASE("files whose batch norms hold no statistics have them folded in already") {
  named_values folded = tensors();
  folded.erase("bn1.running_mean");
  folded.erase("bn1.running_var");
  CHECK(run(load(folded).net, 1) == std::vector<double>{3, 23});
}

TEST_CASE("a file of another network is refused by the first tensor that is missing or different") {
  named_values without = tensors();
  without.erase("bn1.bias");
  CHECK_THROWS_WITH(load(without), bitpq_test::contains("has no tensor 'bn1.bias'"));
  named_values other = tensors();
  other["fc.weight"].push_back(1);
  CHECK_THROWS_WITH(load(other), bitpq_test::contains("fc.weight has 5 elements, expected 4"));
}

TEST_CASE("a compressed model runs on codes where it has them") {
  const engine::trained_network net = load(tensors());
  const auto codes = bitpq_test::random_pq<float>({2, 2, 1, 2, 1}, 3);
  bitpq::compressed_model<float> model;
  model.add_layer("fc.weight", bitpq::layer_geometry::linear(2, 2), codes);
  model.add_tensor("fc.bias", {2}, std::vector<float>{1, 2});
  const auto stem = net.net.at("conv1").dense_weights();
  model.add_tensor("conv1.weight", {2, 1, 1, 1}, {stem.data_handle(), 2});
  model.add_tensor("conv1.bias", {2}, net.net.at("conv1").bias());
  const engine::network compressed = engine::load_compressed(small_net(), model);
  std::vector<float> w(4);
  codes.decode({w.data(), 2, 2});
  const std::vector<double> y = run(compressed, 1);
  CHECK(y[0] == Approx(w[0] * 7 + w[1] * 2 + 1).epsilon(1e-4));
  CHECK(y[1] == Approx(w[2] * 7 + w[3] * 2 + 2).epsilon(1e-4));
}

TEST_CASE("a compressed model's batch norms become scales of its rows") {
  const auto codes = bitpq_test::random_pq<float>({2, 1, 1, 2, 1}, 3, bitpq::codeword_type::f32, true);
  for (const bool statistics : {false, true}) {
    bitpq::compressed_model<float> model;
    model.add_layer("conv1.weight", bitpq::layer_geometry::conv2d(2, 1, {1, 1}, {{2, 2}}), codes);  // whatever stride
    for (const auto& [name, values] : tensors())
      if (name != "conv1.weight" && (statistics || !name.starts_with("bn1.running")))
        model.add_tensor(name, {values.size()}, values);
    std::vector<float> w(2);
    codes.decode({w.data(), 2, 1});
    if (statistics)
      for (std::size_t c = 0; c < 2; ++c) w[c] /= std::sqrt(tensors()["bn1.running_var"][c] + 1e-5F);
    const std::vector<float> bias = statistics ? std::vector<float>{5 - 4 / 2.0F, -1} : std::vector<float>{5, 0};
    const engine::node step = small_net().nodes[0];
    const engine::layer_weights read = engine::compressed_weights(model)(step);
    const std::vector<float> values = engine::dense_values(read);
    for (std::size_t c = 0; c < 2; ++c) {
      CHECK(values[c] == Approx(w[c] * tensors()["bn1.weight"][c]).margin(1e-6));
      CHECK(read.bias[c] == Approx(bias[c]).epsilon(1e-4));
    }
  }
}
