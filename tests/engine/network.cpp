// SPDX-License-Identifier: Apache-2.0

#include "engine/architectures.hpp"
#include "engine_data.hpp"
#include "support/catch.hpp"
#include "support/expect_error.hpp"

using engine::graph;
using engine::node;
using engine::tensor;
using engine_test::layer_by_hand;
using engine_test::random_tensor;
using engine_test::values_of;

namespace {

tensor ramp(std::size_t h, std::size_t w) {
  tensor x(1, 1, h, w);
  for (std::size_t i = 0; i < h * w; ++i) x.data()[i] = static_cast<float>(i);
  return x;
}

std::size_t weights_in(const graph& structure) {
  std::size_t count = 0;
  for (const node& step : structure.nodes)
    if (step.type == node::kind::layer) count += step.geometry.rows() * step.geometry.cols();
  return count;
}

}  // namespace

TEST_CASE("a max pool takes the largest pixel of each window") {
  const tensor x = ramp(5, 6);  // row r holds 6 r .. 6 r + 5
  CHECK(values_of(engine::max_pool(x, {2, 2}, {})) == std::vector<double>{7, 9, 11, 19, 21, 23});
  CHECK(values_of(engine::max_pool(x, {3, 2, 1}, {})) == std::vector<double>{7, 9, 11, 19, 21, 23, 25, 27, 29});
  CHECK(values_of(engine::max_pool(x, {3, 2}, {})) == std::vector<double>{14, 16, 26, 28});
  // With ceil the last window may reach over the edge, but not begin beyond it.
  CHECK(values_of(engine::max_pool(x, {3, 2, 0, true}, {})) == std::vector<double>{14, 16, 17, 26, 28, 29});
  CHECK(engine::max_pool(ramp(3, 3), {2, 2, 1, true}, {}).size() == bitpq::extent2{2, 2});
  tensor below(1, 1, 2, 2);  // padding is no zero
  for (std::size_t i = 0; i < 4; ++i) below.data()[i] = -3;
  CHECK(values_of(engine::max_pool(below, {3, 2, 1}, {})) == std::vector<double>{-3});
}

TEST_CASE("maps are averaged and put side by side") {
  CHECK(values_of(engine::global_average_pool(ramp(2, 3))) == std::vector<double>{2.5});
  const tensor a = random_tensor(2, 1, 2, 2, 1), b = random_tensor(2, 2, 2, 2, 2);
  const tensor both = engine::concat(a, b);
  CHECK(both.channels() == 3);
  for (std::size_t n = 0; n < 2; ++n)
    for (std::size_t p = 0; p < 4; ++p) {
      CHECK(both.view()(n, 0, p / 2, p % 2) == a.view()(n, 0, p / 2, p % 2));
      CHECK(both.view()(n, 2, p / 2, p % 2) == b.view()(n, 1, p / 2, p % 2));
    }
  bitpq_test::expect_error(bitpq::errc::bad_shape, "maps of 2 x 2 beside maps of 3 x 3",
                           [&] { static_cast<void>(engine::concat(a, random_tensor(2, 1, 3, 3, 3))); });
}

TEST_CASE("a network computes what its layers do one by one") {
  engine::graph_builder build(2);
  const std::size_t stem = build.conv("stem", 0, 5, {3, 1, 1});
  const std::size_t inner = build.conv("inner", stem, 7, {3, 2, 1});
  const std::size_t shortcut = build.conv("shortcut", stem, 7, {1, 2, 0, false});
  const std::size_t joined = build.conv_and_add("last", inner, shortcut, 7, {3, 1, 1});
  build.linear("fc", build.global_average_pool(joined), 3);
  const engine::network net = engine_test::random_network(build.take(), 1);
  const tensor x = random_tensor(3, 2, 9, 8, 50);

  const std::vector<double> a = layer_by_hand(net.at("stem"), values_of(x), 3, {9, 8}, true);
  const std::vector<double> b = layer_by_hand(net.at("inner"), a, 3, {9, 8}, true);
  const std::vector<double> c = layer_by_hand(net.at("shortcut"), a, 3, {9, 8}, false);
  const std::vector<double> d = layer_by_hand(net.at("last"), b, 3, {5, 4}, true, c);
  std::vector<double> mean(3 * 7);
  for (std::size_t i = 0; i < d.size(); ++i) mean[i / 20] += d[i] / 20;
  const std::vector<double> want = layer_by_hand(net.at("fc"), mean, 3, {1, 1}, false);

  tensor copy = random_tensor(3, 2, 9, 8, 50);
  CHECK(bitpq_test::relative_error(values_of(net.forward(std::move(copy), {})), want) < 1e-5);
}

TEST_CASE("a tensor is freed by its last reader") {
  const graph net = engine::resnet(18);
  const std::vector<std::size_t> last = net.last_readers();
  REQUIRE(last.size() == net.nodes.size() + 1);
  CHECK(last.back() == net.nodes.size());
  for (std::size_t i = 0; i < net.nodes.size(); ++i)
    for (const std::size_t t : net.nodes[i].inputs) {
      CHECK(t <= i);
      CHECK(last[t] >= i);
    }
  // The first block's input is read again by its residual: steps are stem, pool, conv1, conv2.
  CHECK(last[2] == 3);
  CHECK(net.nodes[3].name == "layer1.0.conv2");
}

TEST_CASE("architectures have the layers of their published weights") {
  CHECK(weights_in(engine::resnet(18)) == 11'678'912);
  CHECK(weights_in(engine::resnet(34)) == 21'779'648);
  CHECK(weights_in(engine::resnet(50)) == 25'502'912);
  CHECK(weights_in(engine::resnet(101)) == 44'442'816);
  CHECK(weights_in(engine::squeezenet1_1()) == 1'231'552);
  CHECK(engine::resnet(50).nodes.back().geometry == bitpq::layer_geometry::linear(1000, 2048));
  bitpq_test::expect_error(bitpq::errc::bad_params, "no ResNet-20; there are 18, 34, 50 and 101",
                           [] { static_cast<void>(engine::resnet(20)); });
}

TEST_CASE("a layer refuses weights of another size") {
  const auto geometry = bitpq::layer_geometry::linear(2, 3);
  bitpq_test::expect_error(bitpq::errc::bad_shape, "5 weights and 2 biases for a layer of 2 x 3",
                           [&] { engine::layer(geometry, std::vector<float>(5), std::vector<float>(2)); });
}
