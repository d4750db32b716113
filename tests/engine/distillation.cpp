// SPDX-License-Identifier: Apache-2.0

#include "engine/distillation.hpp"
#include "engine/answers.hpp"
#include "engine/training_batches.hpp"
#include "small_resnet.hpp"
#include "support/catch.hpp"

using engine_test::all_but_stem;
using engine_test::small_resnet;
using engine_test::source;

namespace {

constexpr std::size_t steps = 12;

bitpq::network_params tuned_params() {
  bitpq::network_params params = engine_test::quick_params();
  params.layer_tuning = {.steps = 2, .rate = [](std::size_t) { return 1e-3; }};
  params.global_tuning = {.steps = steps, .rate = bitpq::cosine_schedule{5e-3, steps}};
  return params;
}

/// Codes and biases of all layers, and how far the answers are from the teacher's.
struct seen_student {
  std::vector<std::vector<std::uint16_t>> codes;
  std::vector<std::vector<float>> codewords, biases;
  double kl = 0;
  bitpq::network_report report;
};

struct outcome {
  std::optional<seen_student> compressed, tuned;
};

outcome distilled(const engine::network& teacher, const bitpq::network_run<float>& run = {}) {
  engine::distillation_options tuning;
  tuning.images = source;
  tuning.batch = 4;
  const engine::answers wanted = engine::answers_of(teacher, source, {});
  outcome result;
  const auto see = [&](std::optional<seen_student>& to) {
    return [&](engine::student& student, const bitpq::network_report& report) {
      to.emplace();
      for (std::size_t i = 0; i < student.layers().size(); ++i) {
        to->codes.push_back(student.codes(i)->codes().unpack());
        const auto words = student.codes(i)->book().values();
        to->codewords.emplace_back(words.begin(), words.end());
        to->biases.push_back(student.net().at(student.step(i).name).bias());
      }
      to->kl = engine::mean_divergence(wanted, engine::answers_of(student.net(), source, {}));
      to->report = report;
    };
  };
  engine::distil(teacher, source, all_but_stem, {.batch = 3}, tuning, tuned_params(), run, {}, see(result.compressed),
                 see(result.tuned));
  return result;
}

}  // namespace

TEST_CASE("tuning brings a student nearer to its teacher") {
  const engine::network teacher = small_resnet();
  const outcome all = distilled(teacher);
  REQUIRE(all.compressed);
  REQUIRE(all.tuned);
  CHECK(all.compressed->report.end == bitpq::run_end::steps_spent);
  CHECK(all.tuned->report.end == bitpq::run_end::finished);
  CHECK(all.tuned->report.global.steps == steps);
  CHECK(all.tuned->kl < all.compressed->kl);
  CHECK(all.tuned->biases != all.compressed->biases);
}

TEST_CASE("a run that was stopped goes on to the same bits") {
  const engine::network teacher = small_resnet();
  const outcome whole = distilled(teacher);
  std::optional<bitpq::network_checkpoint<float>> stopped;
  bitpq::network_run<float> first;
  first.max_steps = 15;  // in the midst of tuning all layers
  first.checkpoint = [&](const bitpq::network_checkpoint<float>& c) { stopped = c; };
  CHECK(distilled(teacher, first).tuned->report.end == bitpq::run_end::steps_spent);
  REQUIRE(stopped);
  bitpq::network_run<float> second;
  second.resume = &*stopped;
  const outcome resumed = distilled(teacher, second);
  CHECK(resumed.tuned->codes == whole.tuned->codes);
  CHECK(resumed.tuned->codewords == whole.tuned->codewords);
  CHECK(resumed.tuned->biases == whole.tuned->biases);
}

TEST_CASE("cancelled before all layers are compressed, nobody sees a student") {
  bitpq::network_run<float> run;
  run.progress = [](const bitpq::network_progress& p) { return p.index < 2; };
  const outcome none = distilled(small_resnet(), run);
  CHECK_FALSE(none.compressed);
  CHECK_FALSE(none.tuned);
}

TEST_CASE("batches to tune with are functions of seed and step, some images mirrored") {
  const auto batch = [](std::uint64_t seed, std::uint64_t step) {
    return engine_test::values_of(engine::training_batch(source, 5, seed, step));
  };
  CHECK(batch(1, 2) == batch(1, 2));
  CHECK(batch(1, 2) != batch(1, 3));
  CHECK(batch(1, 2) != batch(2, 2));
  std::size_t plain = 0, mirrored = 0;
  const engine::tensor some = engine::training_batch(source, 40, 3, 0);
  for (std::size_t i = 0; i < 40; ++i)
    for (std::size_t j = 0; j < engine_test::image_count; ++j) {
      const engine::tensor one = engine_test::images(j, 1);
      const float *const got = some.data() + i * 512, *const want = one.data();
      plain += std::equal(got, got + 16, want) ? 1 : 0;
      mirrored += std::equal(got, got + 16, std::make_reverse_iterator(want + 16)) ? 1 : 0;
    }
  CHECK(plain + mirrored == 40);
  CHECK(plain > 5);
  CHECK(mirrored > 5);
  CHECK_THROWS_WITH(engine::training_batch({}, 5, 0, 0), Catch::Contains("out of 0 images to tune with"));
}
