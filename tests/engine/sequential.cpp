// SPDX-License-Identifier: Apache-2.0

#include "engine/sequential.hpp"
#include "engine/architectures.hpp"
#include "engine_data.hpp"
#include "support/catch.hpp"
#include "support/layers.hpp"

#include <Eigen/Cholesky>

using engine::layer_turn;
using engine::network;
using engine::node;
using engine::tensor;
using engine_test::random_tensor;
using engine_test::values_of;

namespace {

constexpr std::size_t image_count = 7;

/// A small residual network with everything that a larger one has.
network small_resnet() {
  engine::resnet_shape shape;
  shape.input_channels = 2;
  shape.classes = 4;
  shape.stem_width = 6;
  shape.widths = {6, 8};
  shape.blocks = {1, 1};
  return engine_test::random_network(engine::residual_network(shape), 5);
}

tensor images(std::size_t first, std::size_t n) {
  const tensor all = random_tensor(image_count, 2, 16, 16, 99);
  tensor x(n, 2, 16, 16);
  std::copy_n(all.data() + first * 512, n * 512, x.data());
  return x;
}

const engine::image_source source{image_count, images};
const engine::layer_choice all_but_stem = [](const node& step) { return step.name != "conv1"; };

/// The tensor that `step` reads first when everything before it runs from the start.
tensor input_of(const network& net, std::size_t step) {
  std::vector<tensor> tensors(net.structure().nodes.size() + 1);
  tensors[0] = images(0, image_count);
  for (std::size_t i = 0; i < step; ++i) net.run(i, tensors, {});
  return std::move(tensors[net.structure().nodes[step].inputs[0]]);
}

bitpq::pq_matrix<float> quick_codes(const layer_turn& turn) {
  bitpq::pq_params params;
  params.block_size = turn.step.geometry.window() > 1 ? 9 : 2;
  params.codewords = 8;
  params.max_iterations = 3;
  return bitpq::compress<float>(turn.step.geometry, turn.weights, turn.inputs, params).weights;
}

double largest(const bitpq_test::row_major& m) { return m.cwiseAbs().maxCoeff(); }

/// Mean of each output before activation and residual.
std::vector<double> output_means(const network& net, std::size_t step) {
  const node& n = net.structure().nodes[step];
  const tensor y = net.at(n.name).run(input_of(net, step), false, {});
  const std::size_t plane = y.size().h * y.size().w;
  std::vector<double> means(y.channels());
  const std::vector<double> values = values_of(y);
  for (std::size_t i = 0; i < values.size(); ++i)
    means[i / plane % y.channels()] += values[i] / static_cast<double>(y.batch() * plane);
  return means;
}

}  // namespace

TEST_CASE("layers are calibrated on what they see in the student") {
  const network teacher = small_resnet();
  engine::sequential_options options;
  options.batch = 3;
  options.correct_bias = false;
  std::vector<bitpq::importance> seen;
  const network student =
      engine::compress_layers(teacher, source, all_but_stem, options, {}, [&](const layer_turn& turn) {
        seen.push_back(*turn.inputs);
        return quick_codes(turn);
      });
  const std::vector<node>& steps = teacher.structure().nodes;
  REQUIRE(seen.size() == engine::count_layers(teacher.structure(), all_but_stem));
  auto moments = seen.begin();
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (steps[i].type != node::kind::layer || steps[i].name == "conv1") continue;
    INFO(steps[i].name);
    const tensor x = input_of(student, i);  // the student as it became: only what comes before the layer matters
    const auto columns = bitpq_test::naive_columns(steps[i].geometry, 0, x.view());
    const bitpq_test::row_major want = columns * columns.transpose() / static_cast<double>(columns.cols());
    CHECK(largest(bitpq_test::to_eigen((moments++)->gram(0)) - want) < 1e-5 * largest(want));
  }
}

TEST_CASE("teacher targets: weights that make the teacher's outputs of the student's inputs") {
  const network teacher = small_resnet();
  engine::sequential_options options;
  options.batch = 3;
  options.teacher_targets = true;
  options.correct_bias = false;
  std::vector<bitpq_test::row_major> targets;
  const network student =
      engine::compress_layers(teacher, source, all_but_stem, options, {}, [&](const layer_turn& turn) {
        targets.push_back(bitpq_test::to_eigen(turn.weights));
        return quick_codes(turn);
      });
  const std::vector<node>& steps = teacher.structure().nodes;
  auto target = targets.begin();
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (steps[i].type != node::kind::layer || steps[i].name == "conv1") continue;
    INFO(steps[i].name);
    const tensor xt = input_of(teacher, i), xs = input_of(student, i);
    const auto left = bitpq_test::naive_columns(steps[i].geometry, 0, xt.view());
    const auto right = bitpq_test::naive_columns(steps[i].geometry, 0, xs.view());
    const auto n = static_cast<double>(left.cols());
    const bitpq_test::row_major w = bitpq_test::to_eigen(teacher.at(steps[i].name).dense_weights());
    Eigen::MatrixXd h = right * right.transpose() / n;
    const double ridge = options.target_damping * h.trace() / static_cast<double>(h.rows());
    h.diagonal().array() += ridge;
    const bitpq_test::row_major b = w * left * right.transpose() / n + ridge * w;
    const bitpq_test::row_major want = h.llt().solve(Eigen::MatrixXd(b.transpose())).transpose();
    CHECK(largest(*target++ - want) < 1e-4 * largest(want));
  }
  CHECK(target == targets.end());
}

TEST_CASE("corrected biases give every output the teacher's mean") {
  const network teacher = small_resnet();
  engine::sequential_options options;
  options.batch = 4;
  options.statistics = false;
  const network student =
      engine::compress_layers(teacher, source, all_but_stem, options, {}, [](const layer_turn& turn) {
        CHECK(turn.inputs == nullptr);
        bitpq::pq_params params;
        params.block_size = 2;
        params.codewords = 4;
        params.metric = bitpq::pq_metric::weights;
        return bitpq::compress<float>(turn.step.geometry, turn.weights, nullptr, params).weights;
      });
  for (std::size_t i = 0; i < teacher.structure().nodes.size(); ++i) {
    if (teacher.structure().nodes[i].type != node::kind::layer) continue;
    INFO(teacher.structure().nodes[i].name);
    const std::vector<double> want = output_means(teacher, i), got = output_means(student, i);
    for (std::size_t c = 0; c < want.size(); ++c) CHECK(got[c] == Approx(want[c]).margin(1e-4));
  }
}

TEST_CASE("every step runs once per batch") {
  const network net = small_resnet();
  std::size_t made = 0;
  const engine::image_source counted{image_count, [&](std::size_t first, std::size_t n) {
                                       ++made;
                                       return images(first, n);
                                     }};
  engine::sequential_options options;
  options.batch = 2;
  std::size_t observed = 0;
  engine::observe_layers(
      net, counted, [](const node&) { return true; }, options, {},
      [&](const node&, const bitpq::importance&) { ++observed; });
  CHECK(made == 4);
  CHECK(observed == engine::count_layers(net.structure(), [](const node&) { return true; }));
}

TEST_CASE("means of inputs are those of im2col's columns") {
  for (const auto& g : {bitpq::layer_geometry::conv2d(4, 6, {3, 3}, {.stride = {2, 1}, .padding = {1, 1}, .groups = 2}),
                        bitpq::layer_geometry::conv2d(4, 6, {5, 1}, {.padding = {2, 0}, .dilation = {1, 1}}),
                        bitpq::layer_geometry::conv2d(4, 6, {3, 3}, {.padding = {2, 3}, .dilation = {2, 3}}),
                        bitpq::layer_geometry::conv2d(4, 6, {1, 1}, {.stride = {2, 2}})}) {
    const tensor x = random_tensor(4, 6, 9, 10, 8);
    engine::input_means means(g);
    means.add(x, {});
    means.add(x, {});
    const std::vector<double> got = means.finish();
    for (std::size_t group = 0; group < g.groups(); ++group) {
      const auto want = bitpq_test::naive_columns(g, group, x.view()).rowwise().mean().eval();
      for (std::size_t k = 0; k < g.cols(); ++k)
        CHECK(got[group * g.cols() + k] == Approx(want(static_cast<Eigen::Index>(k))).margin(1e-7));
    }
  }
}
