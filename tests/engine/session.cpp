// SPDX-License-Identifier: Apache-2.0

// Networks whose memory is planned once: the same bits as with a tensor for each step, no two tensors in one place at
// one time, and no allocation once a session has answered.

#include "engine/session.hpp"
#include "counted_new.hpp"
#include "engine/architectures.hpp"
#include "engine_data.hpp"
#include "support/catch.hpp"
#include "support/expect_error.hpp"
#include "support/random_pq.hpp"
#include "support/thread_executor.hpp"

using engine::graph;
using engine::node;
using engine::tensor_shape;
using engine_test::random_tensor;

namespace {

/// Stems, pools, shortcuts with and without a layer, averages: all that a ResNet has, and small.
graph small_resnet(bool bottleneck) {
  engine::resnet_shape shape;
  shape.classes = 5;
  shape.stem_width = 8;
  shape.widths = {8, 12};
  shape.blocks = {2, 2};
  shape.bottleneck = bottleneck;
  return engine::residual_network(shape);
}

/// Two layers side by side, one of them read once more; a concatenation of what lies elsewhere already.
graph branches() {
  engine::graph_builder net(3);
  const std::size_t stem = net.conv("stem", 0, 4, {3, 2});
  const std::size_t a = net.conv("a", stem, 6, {1}), b = net.conv("b", stem, 5, {3, 1, 1});
  const std::size_t both = net.concat(a, b);
  const std::size_t c = net.conv("c", both, 7, {1}), d = net.conv_and_add("d", both, c, 7, {3, 1, 1});
  const std::size_t again = net.concat(d, d);
  net.linear("fc", net.global_average_pool(net.max_pool(again, {3, 2, 0, true})), 4);
  return net.take();
}

/// All layers on codes but the first.
engine::network coded(const graph& structure) {
  engine::network net = engine_test::random_network(structure, 3);
  std::uint64_t seed = 100;
  for (const node& step : structure.nodes) {
    if (step.type != node::kind::layer || step.name == "conv1") continue;
    const bitpq::layer_geometry& g = step.geometry;
    const std::size_t block = g.window() == 9 ? 9 : g.cols() % 4 == 0 ? 4 : 1;
    ++seed;
    net.set(step.name, engine::layer(g, bitpq_test::random_pq<float>({g.rows(), g.cols(), block, 16, 1}, seed),
                                     bitpq_test::random_values<float>(g.rows(), seed)));
  }
  return net;
}

std::vector<double> answer(engine::session& s, const engine::tensor& x) {
  std::copy_n(x.data(), x.shape().size(), s.input().data_handle());
  const engine::maps_in y = s.run();
  return {y.data_handle(), y.data_handle() + y.size()};
}

/// No tensor is written where another one lies that is read later, but for those that share a place on purpose.
void check_places(const graph& structure, const tensor_shape& input) {
  const engine::memory_plan plan(structure, input);
  const std::vector<std::size_t> last = structure.last_readers();
  for (std::size_t made = 1; made <= structure.nodes.size(); ++made)
    for (std::size_t t = 0; t < made; ++t) {
      const node& step = structure.nodes[made - 1];
      const bool residual = step.type == node::kind::layer && step.inputs.size() > 1 && step.inputs[1] == t;
      const bool part = step.type == node::kind::concat && (step.inputs[0] == t || step.inputs[1] == t);
      if (last[t] + 1 < made || residual || part) continue;
      const auto end = [&](std::size_t i) {
        const engine::placement& p = plan[i];
        return p.offset + (p.shape.n - 1) * p.image + p.shape.size() / p.shape.n;
      };
      const bool same_block = plan[t].image != plan[t].shape.size() / plan[t].shape.n;  // parts of a concatenation
      if (!same_block) CHECK((end(t) <= plan[made].offset || end(made) <= plan[t].offset));
    }
}

}  // namespace

TEST_CASE("a session answers as the network does, whatever was there before, and allocates nothing") {
  const std::vector<graph> graphs{small_resnet(false), small_resnet(true), branches()};
  for (const graph& structure : graphs)
    for (const std::size_t batch : {std::size_t{1}, std::size_t{3}}) {
      const engine::network net = coded(structure);
      engine::session session(net, {batch, 3, 33, 31}, {});
      for (const std::uint64_t seed : std::initializer_list<std::uint64_t>{7, 8}) {
        const engine::tensor x = random_tensor(batch, 3, 33, 31, seed);
        const std::vector<double> want = engine_test::values_of(net.forward(x, {}));
        CHECK(answer(session, x) == want);
        const std::size_t before = engine_test::allocations();
        session.run();
        CHECK(engine_test::allocations() == before);
        CHECK(answer(session, x) == want);
      }
      CHECK(session.activation_bytes() == session.plan().size() * sizeof(float));
    }
}

TEST_CASE("layers of 8 bits and tables of 16 bits allocate nothing either") {
  const graph structure = small_resnet(true);
  engine::network net = coded(structure);
  for (const bitpq::precision precision : {bitpq::precision::lut16, bitpq::precision::int8}) {
    for (const node& step : structure.nodes)
      if (step.type == node::kind::layer && step.name != "conv1")
        net.set(step.name,
                engine::layer(step.geometry,
                              bitpq_test::random_pq<float>(
                                  {step.geometry.rows(), step.geometry.cols(), std::size_t{1}, 16, 1}, 9),
                              std::vector<float>(step.geometry.rows()), {&bitpq::kernels<float>(), precision}));
    engine::session session(net, {1, 3, 40, 40}, {});
    session.run();
    const std::size_t before = engine_test::allocations();
    session.run();
    CHECK(engine_test::allocations() == before);
  }
}

TEST_CASE("a session gives the same bits on any executor") {
  const engine::network net = coded(small_resnet(true));
  const engine::tensor x = random_tensor(2, 3, 40, 40, 5);
  const bitpq_test::thread_executor threads(3);
  engine::session one(net, x.shape(), {}), three(net, x.shape(), threads);
  CHECK(answer(one, x) == answer(three, x));
}

TEST_CASE("tensors that live at the same time have places of their own, others share them") {
  check_places(small_resnet(false), {2, 3, 64, 64});
  check_places(small_resnet(true), {1, 3, 64, 64});
  check_places(branches(), {2, 3, 33, 33});
  check_places(engine::squeezenet1_1(), {1, 3, 224, 224});
  const graph net = engine::resnet(50);
  check_places(net, {1, 3, 224, 224});
  // The stem's 64 maps of 112 x 112 and their pooled ones, or a block's 256 maps of 56 x 56 and 64 + 64 within it.
  const engine::memory_plan plan(net, {1, 3, 224, 224});
  CHECK(plan.size() <= 64 * 112 * 112 + 64 * 56 * 56 + 3 * 224 * 224 + 64 * 56 * 56);
}

TEST_CASE("inputs that a network cannot take are refused when the session is made") {
  const engine::network net = coded(small_resnet(false));
  bitpq_test::expect_error(bitpq::errc::bad_shape, "layer conv1 takes 3 maps, not 4", [&] {
    engine::session(net, {1, 4, 32, 32}, {});
  });
  CHECK_THROWS_AS(engine::session(net, (tensor_shape{1, 3, 0, 32}), {}), bitpq::error);
}
