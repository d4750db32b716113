// SPDX-License-Identifier: Apache-2.0

// What compress_network refuses, in which words, and that a refused step has changed nothing.

#include "support/bad_inputs.hpp"
#include "support/network_runs.hpp"

using bitpq::errc;
using bitpq::network_checkpoint;
using bitpq::network_params;
using bitpq::network_run;
using bitpq_test::adam_recipe;
using bitpq_test::toy_network;

namespace {

constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

void run(toy_network<float>& net, const network_params& params = adam_recipe().params,
         const network_run<float>& how = {}) {
  static_cast<void>(bitpq::compress_network(net, params, how));
}

/// The student's layers and biases.
bool same_student(toy_network<float>& a, toy_network<float>& b) {
  for (std::size_t i = 0; i < 3; ++i)
    if (!bitpq_test::same_weights(a.codes(i), b.codes(i))) return false;
  return a.state() == b.state();
}

/// Fails with that error and leaves the student as it was.
template <class Spoil>
void check_untouched(errc code, const std::string& text, const Spoil& spoil) {
  toy_network<float> net, before;
  network_params params = adam_recipe().params;
  spoil(net, params);
  bitpq_test::expect_error(code, text, [&] { run(net, params); });
  CHECK(same_student(net, before));
}

using toy = toy_network<float>;

}  // namespace

TEST_CASE("a network that is no good is refused untouched") {
  using bitpq::layer_geometry;
  check_untouched(errc::bad_params, "a network without layers to compress",
                  [](toy& net, network_params&) { net.listed.clear(); });
  check_untouched(errc::bad_params, "two layers are named 'stem'",
                  [](toy& net, network_params&) { net.listed[2].name = "stem"; });
  check_untouched(errc::bad_shape, "layer 'body': weights of 8 x 54 for a layer of 8 x 6",
                  [](toy& net, network_params&) {
                    net.listed[1].geometry = layer_geometry::conv2d(8, 6, {1, 1});
                  });
  check_untouched(errc::bad_shape, "layer 'body': inputs of 4 x 6 x 6 x 6 for a layer of 54 channels",
                  [](toy& net, network_params&) { net.listed[1].geometry = layer_geometry::linear(8, 54); });
  check_untouched(errc::bad_params, "no calibration data reaches layer 'stem', 1 of 3",
                  [](toy& net, network_params&) { net.batches = 0; });
  check_untouched(errc::bad_params, "no calibration data reaches layer 'head', 3 of 3",
                  [](toy& net, network_params&) { net.unreached = 2; });
}

TEST_CASE("parameters that are no good are refused untouched") {
  check_untouched(errc::bad_params, "layer 'head': clusters 0 outside 1 .. 65536", [](toy&, network_params& params) {
    params.layer = [](std::size_t i, const bitpq::network_layer&) {
      return bitpq::pq_params{.codewords = i == 2 ? std::size_t{0} : std::size_t{4}};
    };
  });
  check_untouched(errc::bad_params, "no parameters for layers",
                  [](toy&, network_params& params) { params.layer = nullptr; });
  check_untouched(errc::bad_params, "layer tuning: 3 steps without a learning rate",
                  [](toy&, network_params& params) { params.layer_tuning.rate = nullptr; });
  check_untouched(errc::bad_params, "global tuning: momentum 1 is outside 0 .. 1", [](toy&, network_params& params) {
    params.global_tuning.optimizer = bitpq::sgd_params{.momentum = 1};
  });
  check_untouched(errc::bad_params, "global tuning: codes refreshed at a rate of 0, not a finite number > 0",
                  [](toy&, network_params& params) { params.global_tuning.refresh_every = 1; });
  check_untouched(
      errc::bad_params, "teacher targets without statistics of the inputs",
      [](toy&, network_params& params) { params.calibration = {.statistics = false, .teacher_targets = true}; });
  bitpq_test::bare_network bare;
  bitpq_test::expect_error(
      errc::bad_params, "layer tuning: codes are to be refreshed every 2 steps, but the network has no weight_gradient",
      [&] { static_cast<void>(bitpq::compress_network(bare, bitpq_test::sgd_recipe().params)); });
}

TEST_CASE("what is no number in a batch is named and its layer left as it was") {
  toy_network<float> net, before;
  net.spoil_inputs = [](std::size_t layer, std::size_t batch, toy::maps& inputs) {
    if (layer == 1 && batch == 2) inputs.values[37] = not_a_number;
  };
  bitpq_test::expect_error(errc::non_finite, "calibrating layer 'body': batch 2: calibration input holds nan at (0, 1)",
                           [&] { run(net); });
  CHECK(!bitpq_test::same_weights(net.codes(0), before.codes(0)));
  CHECK(bitpq_test::same_weights(net.codes(1), before.codes(1)));
}

TEST_CASE("a step that is refused is named and has changed nothing") {
  using gradients = std::span<std::vector<float>>;
  const auto check = [](std::size_t steps, errc code, const std::string& text, const auto& spoil) {
    toy_network<float> net, want;
    network_run<float> part;
    part.max_steps = steps;  // up to the step that fails
    run(want, adam_recipe().params, part);
    net.spoil_step = [&](std::uint64_t number, double& loss, gradients of) {
      if (number == steps && !of.empty()) spoil(loss, of);
    };
    bitpq_test::expect_error(code, text, [&] { run(net); });
    CHECK(same_student(net, want));
  };
  const auto no_loss = [](double& loss, gradients) { loss = static_cast<double>(not_a_number); };
  check(7, errc::non_finite, "tuning layer 'head', step 1: the loss is nan", no_loss);
  check(11, errc::non_finite, "tuning all layers, step 2: the loss is nan", no_loss);
  check(11, errc::non_finite, "tuning all layers, step 2: codewords of 'head': gradient holds nan at 7",
        [](double&, gradients of) { of[2][7] = not_a_number; });
  check(11, errc::bad_shape,
        "tuning all layers, step 2: codewords of 'body': a step of 72 parameters by a gradient of 71 with an optimizer "
        "of 72",
        [](double&, gradients of) { of[1].pop_back(); });
}

TEST_CASE("teacher and student of different classes are told apart") {
  toy_network<float> net;
  net.teacher_classes = 4;
  bitpq_test::expect_error(errc::bad_shape,
                           "tuning layer 'stem', step 0: student logits of 4 rows and 5 classes beside teacher logits "
                           "of 4 rows and 4 classes",
                           [&] { run(net); });
}

TEST_CASE("a checkpoint of another run is refused with the first difference") {
  network_checkpoint<float> last;
  network_run<float> first, again;
  first.max_steps = 5;
  first.checkpoint = [&](const network_checkpoint<float>& checkpoint) { last = checkpoint; };
  toy_network<float> net;
  run(net, adam_recipe().params, first);
  again.resume = &last;
  const auto refused = [&](const std::string& text, const auto& change, toy_network<float> other = toy()) {
    toy_network<float> before = other;
    network_params params = adam_recipe().params;
    change(other, params);
    CHECK_THROWS_WITH(run(other, params, again), bitpq_test::contains(text));
    CHECK(same_student(other, before));
  };
  const std::string another = "checkpoint of another run: ";
  refused(another +
              "layer 1 was 'body', 8 x 54 conv2d, kernel 3 x 3, stride 2 x 2, padding 1 x 1, dilation 1 x 1, "
              "groups 1, is 'trunk', 8 x 54",
          [](toy& other, network_params&) { other.listed[1].name = "trunk"; });
  refused(another + "layers was 3, is 2", [](toy& other, network_params&) { other.listed.pop_back(); });
  refused(
      another + "layer 0 weights was 4 bytes each, hash ", [](toy&, network_params&) {}, toy(2));
  refused(another + "global tuning was 5 steps of adam",
          [](toy&, network_params& params) { params.global_tuning.steps = 6; });
  refused(another + "layer 0 compression was block 9, codewords 8, ",
          [](toy&, network_params& params) { params.layer = bitpq_test::toy_layers(bitpq::codeword_type::i8); });
}

TEST_CASE("a checkpoint that no run comes to is refused") {
  network_checkpoint<float> good;
  network_run<float> first, again;
  first.max_steps = 5;
  first.checkpoint = [&](const network_checkpoint<float>& checkpoint) { good = checkpoint; };
  toy_network<float> net;
  run(net, adam_recipe().params, first);
  const auto refused = [&](errc code, const std::string& text, const auto& change) {
    network_checkpoint<float> bad = good;
    change(bad);
    again.resume = &bad;
    toy_network<float> other, before;
    bitpq_test::expect_error(code, text, [&] { run(other, adam_recipe().params, again); });
    CHECK(same_student(other, before));
  };
  using checkpoint = network_checkpoint<float>;
  refused(errc::corrupt_file, "checkpoint of 0 layers of 3", [](checkpoint& bad) { bad.layers.clear(); });
  refused(errc::corrupt_file, "checkpoint of 2 layers of 3", [](checkpoint& bad) { bad.global = true; });
  refused(errc::corrupt_file, "checkpoint of layer 'stem': tuned for 2 steps of 3",
          [](checkpoint& bad) { bad.layers[0].report.tuning.steps = 2; });
  refused(errc::corrupt_file, "checkpoint of layer 'body': no state of the optimizer after 2 steps",
          [](checkpoint& bad) { bad.layers[1].optimizer.reset(); });
  refused(errc::bad_shape, "checkpoint of layer 'body': codebook of 1 x 8 x 9 given 3 values",
          [](checkpoint& bad) { bad.layers[1].codewords.resize(3); });
  refused(errc::corrupt_file, "checkpoint of layer 'body': weights of 6 x 18 for a layer of 8 x 54",
          [](checkpoint& bad) { bad.layers[1].weights = bad.layers[0].weights; });
  refused(errc::corrupt_file, "checkpoint after 6 global steps of 5",
          [](checkpoint& bad) { bad.global_tuning.steps = 6; });
}
