// SPDX-License-Identifier: Apache-2.0

// The schedule over a whole network: against the same steps by hand, what it reports, and what it says while it runs.

#include "support/network_runs.hpp"
#include "support/thread_executor.hpp"

using bitpq::network_phase;
using bitpq::network_progress;
using bitpq::network_report;
using bitpq::network_run;
using bitpq::run_end;
using bitpq_test::adam_recipe;
using bitpq_test::finished;
using bitpq_test::recipe;
using bitpq_test::toy_network;

namespace {

/// Is told of each layer that runs on codes.
class told_network : public bitpq_test::bare_network {
 public:
  void adapt(std::size_t i) { told.push_back(i); }
  std::vector<std::size_t> told{};
};

/// adam_recipe from its parts.
template <bitpq::scalar T>
finished<T> by_hand(const bitpq::network_params& params) {
  toy_network<T> net;
  network_report report;
  std::vector<bitpq::pq_matrix<T>> codes;
  std::vector<std::vector<T>> words;
  std::uint64_t number = 0;
  const auto tune = [&](const std::vector<std::size_t>& which, const bitpq::tuning_params& how,
                        bitpq::tuning_report& tuning) {
    std::vector<bitpq::adam<T>> optimizers;
    for (const std::size_t i : which) optimizers.emplace_back(words[i].size());
    const std::uint64_t first = number;
    for (std::size_t step = 0; step < how.steps; ++step, ++number) {
      std::vector<std::vector<T>> gradients(which.size());
      const double loss = net.training_step(number, which, gradients);
      if (step == 0) tuning.loss_before = loss;
      for (std::size_t k = 0; k < which.size(); ++k) {
        optimizers[k].step(words[which[k]], gradients[k], how.rate(step));
        codes[which[k]] = bitpq::with_codewords(codes[which[k]], words[which[k]]);
        net.set_weights(which[k], codes[which[k]]);
      }
      net.end_step(number, how.rate(step));
    }
    tuning.steps = how.steps;
    tuning.loss_after = net.training_step(first, {}, {});
  };
  for (std::size_t i = 0; i < 3; ++i) {
    const bitpq::network_layer layer = net.layers()[i];
    bitpq::gram_accumulator moments(layer.geometry, params.calibration.columns_per_batch);
    net.stream(i, false, [&](const bitpq::layer_samples<T>& samples) {
      moments.add<T>(samples.inputs);
      return true;
    });
    const bitpq::importance h = moments.finish();
    auto compressed = bitpq::compress<T>(layer.geometry, net.weights(i), &h, params.layer(i, layer));
    codes.push_back(compressed.weights);
    words.emplace_back(codes[i].book().values().begin(), codes[i].book().values().end());
    net.set_weights(i, codes[i]);
    report.layers.push_back({layer.name, compressed.report, {}});
    tune({i}, params.layer_tuning, report.layers.back().tuning);
  }
  tune({0, 1, 2}, params.global_tuning, report.global);
  return {std::move(net), std::move(report)};
}

}  // namespace

TEMPLATE_TEST_CASE("compress_network does what its parts do in turn", "", float, double) {
  for (const bitpq::codeword_type storage : {bitpq::codeword_type::f32, bitpq::codeword_type::f16}) {
    const recipe r = adam_recipe(storage);
    finished<TestType> want = by_hand<TestType>(r.params), got = bitpq_test::compress<TestType>(r.params);
    bitpq_test::check_same(got, want);
  }
}

TEST_CASE("tuning brings the student closer to the teacher") {
  for (recipe r : {adam_recipe(), adam_recipe(bitpq::codeword_type::i8), bitpq_test::sgd_recipe()}) {
    INFO(r.name);
    r.params.layer_tuning.steps = 8;
    r.params.global_tuning.steps = 16;
    r.params.layer_tuning.refresh_every = r.params.global_tuning.refresh_every = 0;  // which may cost for a while
    const finished<float> student = bitpq_test::compress(r.params);
    CHECK(student.report.end == run_end::finished);
    CHECK(student.report.steps == 40);
    REQUIRE(student.report.layers.size() == 3);
    for (const bitpq::tuned_layer_report& layer : student.report.layers) {
      INFO(layer.name);
      CHECK(layer.tuning.steps == 8);
      CHECK(*layer.tuning.loss_after < *layer.tuning.loss_before);
      CHECK(layer.compression.output_error.has_value());
    }
    CHECK(*student.report.global.loss_after < *student.report.global.loss_before);
  }
}

TEST_CASE("what the student runs is what a file holds") {
  for (const bitpq::codeword_type storage : {bitpq::codeword_type::f16, bitpq::codeword_type::i8}) {
    const finished<float> student = bitpq_test::compress(adam_recipe(storage).params);
    for (std::size_t i = 0; i < 3; ++i) {
      const bitpq::pq_matrix<float>& w = student.net.codes(i);
      CHECK(w.book().type() == storage);
      CHECK(bitpq_test::same_weights(w, bitpq::with_codewords(w, w.book().values())));
    }
  }
}

TEST_CASE("codes move where a refresh is asked for") {
  recipe r = bitpq_test::sgd_recipe();
  const network_report with = bitpq_test::compress(r.params).report;
  CHECK(with.layers[2].tuning.moved > 0);
  CHECK(with.global.moved > 0);
  r.params.layer_tuning.refresh_every = r.params.global_tuning.refresh_every = 0;
  const network_report without = bitpq_test::compress(r.params).report;
  CHECK(without.layers[2].tuning.moved == 0);
  CHECK(without.global.moved == 0);
}

TEST_CASE("a host needs no more than the five members") {
  recipe r = adam_recipe();
  told_network net;
  const network_report report = bitpq::compress_network(net, r.params);
  CHECK(report.end == run_end::finished);
  CHECK(net.told == std::vector<std::size_t>{0, 1, 2});
  CHECK(net.toy().codes(1).book().codewords() == 8);
  r.params.calibration.statistics = false;
  r.params.layer = [](std::size_t, const bitpq::network_layer&) {
    return bitpq::pq_params{.codewords = 4, .metric = bitpq::pq_metric::weights};
  };
  bitpq_test::bare_network blind;
  CHECK(!bitpq::compress_network(blind, r.params).layers[0].compression.output_error);
}

TEST_CASE("threads change no bit of a network") {
  const recipe r = bitpq_test::sgd_recipe();
  bitpq_test::thread_executor threads(3);
  finished<float> one = bitpq_test::compress(r.params);
  finished<float> three = bitpq_test::compress<float>(r.params, {}, toy_network<float>(), threads);
  bitpq_test::check_same(one, three);
}

TEST_CASE("progress goes through all phases and foresees its end") {
  const recipe r = adam_recipe();
  std::vector<network_progress> seen;
  std::vector<std::string> names;
  network_run<float> run;
  run.progress = [&](const network_progress& p) {
    seen.push_back(p);
    names.emplace_back(p.layer);
    return true;
  };
  const network_report report = bitpq_test::compress(r.params, run).report;
  std::size_t steps = 0;
  for (std::size_t i = 0; i < seen.size(); ++i) {
    const network_progress& p = seen[i];
    INFO("report " << i << " of phase " << bitpq::to_string(p.phase));
    CHECK(p.layers == 3);
    CHECK((p.steps == 0 || p.step <= p.steps));
    CHECK((i == 0 || p.seconds >= seen[i - 1].seconds));
    const bool tuning = p.phase == network_phase::tune_layer || p.phase == network_phase::tune_global;
    CHECK(p.loss.has_value() == tuning);
    steps += tuning ? 1 : 0;
    CHECK(p.seconds_left.has_value() == (steps > 0));
    if (p.phase == network_phase::tune_global)
      CHECK(names[i].empty());
    else
      CHECK(names[i] == report.layers[p.index].name);
  }
  CHECK(steps == bitpq_test::steps_of(r.params));
  CHECK(seen.front().phase == network_phase::calibrate);
  CHECK(seen.back().phase == network_phase::tune_global);
  CHECK(*seen.back().seconds_left == 0);
  CHECK(seen.back().step == 5);
}

TEST_CASE("a spent budget leaves a whole network and says so") {
  const recipe r = adam_recipe();
  network_run<float> steps, seconds;
  steps.max_steps = 4;
  seconds.max_seconds = 0;
  const network_report few = bitpq_test::compress(r.params, steps).report;
  CHECK(few.end == run_end::steps_spent);
  CHECK(few.steps == 4);
  REQUIRE(few.layers.size() == 3);
  CHECK(few.layers[0].tuning.loss_after.has_value());
  CHECK(few.layers[1].tuning.steps == 1);
  CHECK(!few.layers[1].tuning.loss_after.has_value());
  CHECK(few.layers[2].tuning == bitpq::tuning_report{});
  const network_report none = bitpq_test::compress(r.params, seconds).report;
  CHECK(none.end == run_end::seconds_spent);
  CHECK(none.steps == 0);
  CHECK(none.layers.size() == 3);
}
