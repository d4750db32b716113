// SPDX-License-Identifier: Apache-2.0

#include "engine/student.hpp"
#include "small_resnet.hpp"
#include "support/catch.hpp"
#include "support/layers.hpp"

#include <bitpq/train/compress_network.hpp>

#include <Eigen/Cholesky>

using engine::network;
using engine::node;
using engine::tensor;
using engine_test::all_but_stem;
using engine_test::image_count;
using engine_test::images;
using engine_test::quick_params;
using engine_test::random_tensor;
using engine_test::small_resnet;
using engine_test::source;
using engine_test::values_of;

namespace {

/// The tensor that `step` reads first when everything before it runs from the start.
tensor input_of(const network& net, std::size_t step) {
  std::vector<tensor> tensors(net.structure().nodes.size() + 1);
  tensors[0] = images(0, image_count);
  for (std::size_t i = 0; i < step; ++i) net.run(i, tensors, {});
  return std::move(tensors[net.structure().nodes[step].inputs[0]]);
}

/// Remembers what was handed over last of each layer.
struct watched_student : engine::student {
  using engine::student::student;
  std::map<std::size_t, std::vector<double>> ours, theirs;

  void stream(std::size_t i, bool teacher, const bitpq::sample_visitor<float>& visitor) {
    ours[i].clear();
    theirs[i].clear();
    engine::student::stream(i, teacher, [&](const bitpq::layer_samples<float>& samples) {
      append(samples.inputs, ours[i]);
      append(samples.teacher_inputs, theirs[i]);
      return visitor(samples);
    });
  }

 private:
  static void append(const bitpq::nchw_view<const float>& maps, std::vector<double>& to) {
    for (std::size_t k = 0; k < maps.size(); ++k) to.push_back(static_cast<double>(maps.data_handle()[k]));
  }
};

/// The chosen layers' places in the graph.
std::vector<std::size_t> places(const network& net) { return engine::chosen_steps(net.structure(), all_but_stem); }

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

TEST_CASE("layers are calibrated on what they see in the student and in the teacher") {
  const network teacher = small_resnet();
  watched_student student(teacher, source, all_but_stem, {.batch = 3}, {});
  bitpq::network_params params = quick_params();
  params.calibration.teacher_targets = true;
  const bitpq::network_report report = bitpq::compress_network(student, params);
  const std::vector<std::size_t> steps = places(teacher);
  REQUIRE(report.layers.size() == steps.size());
  for (std::size_t i = 0; i < steps.size(); ++i) {
    INFO(report.layers[i].name);
    CHECK(report.layers[i].name == teacher.structure().nodes[steps[i]].name);
    // The student as it became: only what comes before the layer matters.
    CHECK_THAT(student.ours[i], Catch::Matchers::Approx(values_of(input_of(student.net(), steps[i]))).margin(1e-5));
    CHECK_THAT(student.theirs[i], Catch::Matchers::Approx(values_of(input_of(teacher, steps[i]))).margin(1e-5));
  }
}

TEST_CASE("a student is the teacher until its layers are replaced") {
  const network teacher = small_resnet();
  engine::student student(teacher, source, all_but_stem, {.batch = 3}, {});
  CHECK(values_of(student.net().forward(images(0, 3), {})) == values_of(teacher.forward(images(0, 3), {})));
  CHECK_FALSE(student.codes(0).has_value());
  bitpq::network_params params = quick_params();
  params.global_tuning = {.steps = 1, .rate = [](std::size_t) { return 0.1; }};
  CHECK_THROWS_WITH(bitpq::compress_network(student, params), Catch::Contains("this engine computes no gradients"));
}

TEST_CASE("corrected biases give every output the teacher's mean") {
  const network teacher = small_resnet();
  engine::student compressed(teacher, source, all_but_stem, {.batch = 4}, {});
  bitpq::network_params params;
  params.calibration.statistics = false;
  params.layer = [](std::size_t, const bitpq::network_layer&) {
    bitpq::pq_params one;
    one.block_size = 2;
    one.codewords = 4;
    one.metric = bitpq::pq_metric::weights;
    return one;
  };
  static_cast<void>(bitpq::compress_network(compressed, params));
  const network& student = compressed.net();
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
  std::size_t observed = 0;
  engine::observe_layers(net, counted, all_but_stem, 2, {}, [&](const node&, const bitpq::importance&) { ++observed; });
  CHECK(made == 4);
  CHECK(observed == places(net).size());
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
