// SPDX-License-Identifier: Apache-2.0
#pragma once

// Ways to compress the toy network, and whether two runs came to the same bits.

#include "support/catch.hpp"
#include "support/layers.hpp"
#include "support/toy_network.hpp"

#include <bitpq/train/compress_network.hpp>

namespace bitpq_test {

struct recipe {
  const char* name;
  bitpq::network_params params;
};

/// Small codebooks for the toy's layers.
inline bitpq::layer_params toy_layers(bitpq::codeword_type storage, bool row_scales = false) {
  return [=](std::size_t i, const bitpq::network_layer& layer) {
    bitpq::pq_params params = bitpq::params_of(bitpq::preset::fast, layer.geometry);
    params.codewords = 8;
    params.limit = bitpq::cluster_limit::points;
    params.max_iterations = 5;
    params.storage = storage;
    params.row_scales = row_scales;
    params.seed = i;
    return params;
  };
}

inline recipe adam_recipe(bitpq::codeword_type storage = bitpq::codeword_type::f16) {
  bitpq::network_params params;
  params.layer = toy_layers(storage);
  params.layer_tuning = {.steps = 3, .rate = bitpq::cosine_schedule{0.02, 3}};
  params.global_tuning = {.steps = 5, .rate = bitpq::cosine_schedule{0.01, 5}};
  return {"adam", params};
}

/// Everything that the other one lacks.
inline recipe sgd_recipe() {
  bitpq::network_params params;
  params.layer = toy_layers(bitpq::codeword_type::i8, true);
  params.calibration = {.columns_per_batch = 20, .teacher_targets = true};
  params.layer_tuning = {.steps = 2,
                         .rate = bitpq::step_schedule{1e-3, 1, 0.5},
                         .optimizer = bitpq::sgd_params{.momentum = 0.9, .nesterov = true},
                         .refresh_every = 2,
                         .refresh = {.share = 0.2, .trust_ratio = 0.5},
                         .refresh_rate = 10};
  params.global_tuning = params.layer_tuning;
  params.global_tuning.steps = 4;
  return {"sgd", params};
}

inline std::vector<recipe> recipes() {
  recipe local = adam_recipe(), global = sgd_recipe(), neither = adam_recipe();
  local.name = "layers only";
  local.params.global_tuning.steps = 0;
  global.name = "global only";
  global.params.layer_tuning.steps = 0;
  neither.name = "no tuning";
  neither.params.layer_tuning.steps = neither.params.global_tuning.steps = 0;
  return {adam_recipe(), sgd_recipe(), local, global, neither};
}

inline std::size_t steps_of(const bitpq::network_params& params) {
  return 3 * params.layer_tuning.steps + params.global_tuning.steps;
}

/// A student and how it came about.
template <bitpq::scalar T>
struct finished {
  toy_network<T> net;
  bitpq::network_report report;
};

template <bitpq::scalar T = float>
finished<T> compress(const bitpq::network_params& params, const bitpq::network_run<T>& run = {},
                     toy_network<T> net = toy_network<T>(), bitpq::executor_ref exec = {}) {
  bitpq::network_report report = bitpq::compress_network(net, params, run, exec);
  return {std::move(net), std::move(report)};
}

template <bitpq::scalar T>
void check_same(finished<T>& a, finished<T>& b) {
  CHECK(a.net.state() == b.net.state());
  CHECK(a.report.global == b.report.global);
  REQUIRE(a.report.layers.size() == b.report.layers.size());
  for (std::size_t i = 0; i < a.report.layers.size(); ++i) {
    INFO("layer " << i);
    CHECK(same_weights(a.net.codes(i), b.net.codes(i)));
    CHECK(a.report.layers[i].name == b.report.layers[i].name);
    CHECK(a.report.layers[i].tuning == b.report.layers[i].tuning);
    CHECK(a.report.layers[i].compression.weight_error == b.report.layers[i].compression.weight_error);
    CHECK(a.report.layers[i].compression.output_error == b.report.layers[i].compression.output_error);
  }
}

}  // namespace bitpq_test
