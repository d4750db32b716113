// SPDX-License-Identifier: Apache-2.0

// Dense networks on oneDNN, against the engine's own.

#include "engine/architectures.hpp"
#include "engine/onednn_network.hpp"
#include "engine/weights.hpp"
#include "engine_data.hpp"
#include "support/catch.hpp"
#include "support/random_pq.hpp"

namespace {

/// Codes for all layers of more than 3 inputs; the same at each call.
engine::layer_weights weights_of(const engine::node& step) {
  const bitpq::layer_geometry& g = step.geometry;
  const std::vector<float> bias = bitpq_test::random_values<float>(g.rows(), g.rows());
  std::vector<float> scales(g.rows(), 1.0F / std::sqrt(static_cast<float>(g.cols())));
  const bitpq::pq_matrix<float> codes = bitpq_test::random_pq<float>({g.rows(), g.cols(), 1, 16, 1}, g.cols());
  bitpq::pq_matrix<float> scaled(g.rows(), g.cols(), codes.book(), codes.codes(), 1, bitpq::row_scales<float>(scales));
  if (g.in_channels > 3) return {std::move(scaled), bias};
  return {engine::dense_values({std::move(scaled), bias}), bias};
}

void check(const engine::graph& structure, const engine::tensor_shape& shape) {
  const engine::network net = engine::build_network(structure, weights_of);
  engine::onednn_network dense(structure, weights_of, shape);
  const engine::tensor x = engine_test::random_tensor(shape.n, shape.c, shape.h, shape.w, 4);
  for (int run = 0; run < 2; ++run) {
    std::copy_n(x.data(), shape.size(), dense.input());
    const std::span<const float> got = dense.run();
    const std::vector<double> want = engine_test::values_of(net.forward(x, {}));
    REQUIRE(got.size() == want.size());
    CHECK(bitpq_test::relative_error(std::vector<double>(got.begin(), got.end()), want) < 1e-5);
  }
  CHECK(dense.weight_bytes() > 0);
  CHECK(dense.activation_bytes() >= shape.size() * sizeof(float));
  CHECK_FALSE(dense.implementation(0).empty());
}

}  // namespace

TEST_CASE("oneDNN computes the same residual network") {
  engine::resnet_shape shape;
  shape.classes = 5;
  shape.stem_width = 16;
  shape.widths = {16, 24};
  shape.blocks = {2, 1};
  for (const bool bottleneck : {false, true}) {
    shape.bottleneck = bottleneck;
    check(engine::residual_network(shape), {2, 3, 33, 40});
  }
}

TEST_CASE("oneDNN computes the same branches") {
  engine::graph_builder net(3);
  const std::size_t stem = net.max_pool(net.conv("stem", 0, 16, {3, 2}), {3, 2, 0, true});
  net.global_average_pool(
      net.conv("last", net.concat(net.conv("a", stem, 8, {1}), net.conv("b", stem, 24, {3, 1, 1})), 6, {1}));
  check(net.take(), {1, 3, 36, 36});
}
