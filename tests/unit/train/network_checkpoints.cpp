// SPDX-License-Identifier: Apache-2.0

// A run that is interrupted, wherever that is, and goes on from its last checkpoint comes to the bits of one that is
// not.

#include "support/network_runs.hpp"

using bitpq::network_checkpoint;
using bitpq::network_run;
using bitpq::run_end;
using bitpq_test::finished;
using bitpq_test::recipe;
using bitpq_test::toy_network;

namespace {

/// The last checkpoint that came, if any did.
struct memory {
  std::optional<network_checkpoint<float>> last{};
  std::size_t count = 0;

  [[nodiscard]] network_run<float> run(std::size_t every = 0) {
    network_run<float> run;
    run.checkpoint_every = every;
    run.checkpoint = [this](const network_checkpoint<float>& checkpoint) {
      last = checkpoint;
      ++count;
    };
    if (last) resumed = last;
    if (resumed) run.resume = &*resumed;
    return run;
  }

 private:
  std::optional<network_checkpoint<float>> resumed{};
};

struct killed {};

}  // namespace

TEST_CASE("checkpoints come after every layer and every so many steps") {
  const auto count = [](const recipe& r, std::size_t every) {
    memory kept;
    static_cast<void>(bitpq_test::compress(r.params, kept.run(every)));
    return kept.count;
  };
  CHECK(count(bitpq_test::adam_recipe(), 0) == 4);
  CHECK(count(bitpq_test::adam_recipe(), 2) == 4 + 3 + 2);
  CHECK(count(bitpq_test::adam_recipe(), 1) == 3 * 3 + 5);
}

TEST_CASE("a budget of steps may run out anywhere") {
  for (const recipe& r : bitpq_test::recipes()) {
    INFO(r.name);
    finished<float> want = bitpq_test::compress(r.params);
    for (std::size_t steps = 0; steps < bitpq_test::steps_of(r.params); ++steps) {
      INFO("after " << steps << " steps");
      memory kept;
      network_run<float> part = kept.run();
      part.max_steps = steps;
      CHECK(bitpq_test::compress(r.params, part).report.end == run_end::steps_spent);
      finished<float> got = bitpq_test::compress(r.params, kept.run());
      CHECK(got.report.steps == bitpq_test::steps_of(r.params) - steps);
      bitpq_test::check_same(got, want);
    }
  }
}

TEST_CASE("a budget may run out again and again") {
  const recipe r = bitpq_test::sgd_recipe();
  finished<float> want = bitpq_test::compress(r.params);
  memory kept;
  for (std::size_t runs = 1;; ++runs) {
    network_run<float> part = kept.run();
    part.max_steps = 1;
    finished<float> got = bitpq_test::compress(r.params, part);
    if (got.report.end == run_end::steps_spent) continue;
    CHECK(runs == bitpq_test::steps_of(r.params));
    bitpq_test::check_same(got, want);
    break;
  }
}

TEST_CASE("a run may be killed in the calls of its host") {
  for (const recipe& r : {bitpq_test::adam_recipe(), bitpq_test::sgd_recipe()}) {
    INFO(r.name);
    finished<float> want = bitpq_test::compress(r.params);
    const std::size_t stride = r.params.calibration.teacher_targets ? 4 : 2;
    for (std::size_t calls = 0;; calls += stride) {
      INFO("after " << calls << " calls");
      memory kept;
      toy_network<float> net;
      net.before = [left = calls]() mutable {
        if (left-- == 0) throw killed{};
      };
      try {
        static_cast<void>(bitpq_test::compress(r.params, kept.run(2), net));
        CHECK(calls > 40);
        break;
      } catch (const killed&) {
        finished<float> got = bitpq_test::compress(r.params, kept.run(2));
        bitpq_test::check_same(got, want);
      }
    }
  }
}

TEST_CASE("a run may be cancelled at any report and loses nothing") {
  const recipe r = bitpq_test::adam_recipe();
  finished<float> want = bitpq_test::compress(r.params);
  for (std::size_t reports = 0;; ++reports) {
    INFO("after " << reports << " reports");
    memory kept;
    network_run<float> part = kept.run();
    std::size_t after = 0;
    part.progress = [&, left = reports](const bitpq::network_progress&) mutable {
      if (left == 0) ++after;
      return left == 0 ? false : left-- > 0;
    };
    const bitpq::network_report report = bitpq_test::compress(r.params, part).report;
    if (report.end == run_end::finished) break;
    CHECK(report.end == run_end::cancelled);
    CHECK(after == 1);
    finished<float> got = bitpq_test::compress(r.params, kept.run());
    CHECK(got.report.steps == bitpq_test::steps_of(r.params) - report.steps);
    bitpq_test::check_same(got, want);
  }
}

TEST_CASE("the checkpoint of a finished run has nothing left to do") {
  for (const recipe& r : bitpq_test::recipes()) {
    memory kept;
    finished<float> want = bitpq_test::compress(r.params, kept.run());
    finished<float> got = bitpq_test::compress(r.params, kept.run());
    CHECK(got.report.steps == 0);
    CHECK(got.report.end == run_end::finished);
    bitpq_test::check_same(got, want);
  }
}
