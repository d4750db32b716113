// SPDX-License-Identifier: Apache-2.0

// Optimisers against their formulas written out for one parameter, and continued from saved state; schedules by hand.

#include "support/bad_inputs.hpp"
#include "support/catch.hpp"
#include "support/random_data.hpp"

#include <bitpq/train/adam.hpp>
#include <bitpq/train/schedule.hpp>
#include <bitpq/train/sgd.hpp>

#include <limits>

using bitpq::adam;
using bitpq::adam_params;
using bitpq::errc;
using bitpq::sgd;
using bitpq::sgd_params;

namespace {

constexpr double undefined = std::numeric_limits<double>::quiet_NaN();

/// Some steps from `values`, each by a gradient of its own.
template <class Optimizer, class T>
void run(Optimizer& optimizer, std::vector<T>& values, std::uint64_t first, std::uint64_t last) {
  for (std::uint64_t step = first; step < last; ++step) {
    const std::vector<T> gradient = bitpq_test::random_values<T>(values.size(), 100 + step);
    optimizer.step(values, gradient, 0.1 / static_cast<double>(step + 1));
  }
}

/// Where 2 goes in a step by gradient 1 at rate 0.1 and one by gradient -0.5 at the second rate.
template <class Optimizer, class Params>
double after_two_steps(const Params& params, double second_rate) {
  Optimizer optimizer(1, params);
  std::vector<double> p{2.0};
  const std::vector<double> first{1.0}, second{-0.5};
  optimizer.step(p, first, 0.1);
  optimizer.step(p, second, second_rate);
  return p[0];
}

/// Stopped after 3 of 7 steps and continued by another object, the parameters are the same bits.
template <class Optimizer, class Params, class T>
void check_continued(const Params& params, T) {
  std::vector<T> whole = bitpq_test::random_values<T>(50, 1), parts = whole;
  Optimizer one(50, params), before(50, params), after(50, params);
  run(one, whole, 0, 7);
  run(before, parts, 0, 3);
  after.restore(before.state());
  run(after, parts, 3, 7);
  CHECK(parts == whole);
  CHECK(after.state() == one.state());
  CHECK(one.state().steps == 7);
}

}  // namespace

TEST_CASE("gradient descent by hand") {
  const auto two_steps = [](const sgd_params& params) { return after_two_steps<sgd<double>>(params, 0.2); };
  CHECK(two_steps({}) == Approx(2.0 - 0.1 * 1.0 + 0.2 * 0.5));
  CHECK(two_steps({.momentum = 0.9}) == Approx(1.9 - 0.2 * (0.9 * 1.0 - 0.5)));
  CHECK(two_steps({.momentum = 0.9, .nesterov = true}) == Approx(2.0 - 0.1 * 1.9 - 0.2 * (-0.5 + 0.9 * 0.4)));
  const double decayed = 2.0 - 0.1 * (1.0 + 0.01 * 2.0);
  CHECK(two_steps({.weight_decay = 0.01}) == Approx(decayed - 0.2 * (-0.5 + 0.01 * decayed)));
}

TEST_CASE("Adam by hand") {
  const auto two_steps = [](const adam_params& params) { return after_two_steps<adam<double>>(params, 0.1); };
  const double m = 0.9 * 0.1 * 1.0 - 0.1 * 0.5, v = 0.999 * 0.001 + 0.001 * 0.25;
  const double second = 0.1 * (m / (1 - 0.81)) / (std::sqrt(v / (1 - 0.998001)) + 1e-8);
  CHECK(two_steps({}) == Approx(2.0 - 0.1 - second).epsilon(1e-7));  // the first step has the size of the rate
  const double decayed = (2.0 * (1 - 0.1 * 0.5) - 0.1) * (1 - 0.1 * 0.5) - second;
  CHECK(two_steps({.weight_decay = 0.5}) == Approx(decayed).epsilon(1e-7));
  adam<double> coupled(1, {.weight_decay = 0.5, .decoupled = false});
  std::vector<double> p{2.0};
  coupled.step(p, std::vector<double>{1.0}, 0.1);
  CHECK(coupled.state().first[0] == Approx(0.1 * 2.0));
}

TEMPLATE_TEST_CASE("optimisers continue from saved state to the same bits", "", float, double) {
  check_continued<sgd<TestType>>(sgd_params{}, TestType{});
  check_continued<sgd<TestType>>(sgd_params{.momentum = 0.9, .weight_decay = 1e-4}, TestType{});
  check_continued<sgd<TestType>>(sgd_params{.momentum = 0.9, .nesterov = true}, TestType{});
  check_continued<adam<TestType>>(adam_params{.weight_decay = 0.01}, TestType{});
  check_continued<adam<TestType>>(adam_params{.weight_decay = 0.01, .decoupled = false}, TestType{});
}

TEST_CASE("optimisers find the least of a bowl") {
  const auto distance = [](auto optimizer, double rate) {
    std::vector<double> p{3.0, -2.0};
    for (int step = 0; step < 400; ++step)
      optimizer.step(p, std::vector<double>{2 * (p[0] - 1), 20 * (p[1] - 0.5)}, rate);
    return std::hypot(p[0] - 1, p[1] - 0.5);
  };
  CHECK(distance(sgd<double>(2), 0.05) < 1e-6);
  CHECK(distance(sgd<double>(2, {.momentum = 0.8, .nesterov = true}), 0.02) < 1e-6);
  CHECK(distance(adam<double>(2), 0.05) < 1e-2);
}

TEST_CASE("optimisers refuse bad input and change nothing") {
  std::vector<float> values{1, 2, 3};
  const std::vector<float> before = values, good{1, 1, 1}, two{1, 1};
  const std::vector<float> broken{1, static_cast<float>(undefined), 1};
  sgd<float> descent(3, {.momentum = 0.5});
  adam<float> moments(3);
  bitpq_test::check_bad_inputs({
      {errc::non_finite, "gradient holds nan at 1", [&] { descent.step(values, broken, 0.1); }},
      {errc::non_finite, "gradient holds nan at 1", [&] { moments.step(values, broken, 0.1); }},
      {errc::bad_shape, "a step of 3 parameters by a gradient of 2 with an optimizer of 3",
       [&] { descent.step(values, two, 0.1); }},
      {errc::bad_params, "learning rate -1 is outside 0 .. inf", [&] { moments.step(values, good, -1); }},
      {errc::bad_params, "momentum 1 is outside 0 .. 1", [] { sgd<float>(1, {.momentum = 1}); }},
      {errc::bad_params, "Nesterov's step without momentum", [] { sgd<float>(1, {.nesterov = true}); }},
      {errc::bad_params, "beta2 1 is outside 0 .. 1", [] { adam<float>(1, {.beta2 = 1}); }},
      {errc::bad_params, "epsilon 0 is not positive", [] { adam<float>(1, {.epsilon = 0}); }},
      {errc::bad_shape, "momentum of 2 parameters for an optimizer of 3",
       [&] {
         descent.restore({1, two, {}});
       }},
      {errc::bad_shape, "second moments of 2 parameters for an optimizer of 3",
       [&] {
         moments.restore({1, good, two});
       }},
      {errc::non_finite, "first moments holds nan at 1",
       [&] {
         moments.restore({1, broken, good});
       }},
      {errc::bad_params, "second moments hold -1 at 0",
       [&] {
         moments.restore({1, good, {-1, 0, 0}});
       }},
  });
  CHECK(values == before);
  CHECK(descent.state() == bitpq::optimizer_state<float>{0, std::vector<float>(3), {}});
  CHECK(moments.state() == bitpq::optimizer_state<float>{0, std::vector<float>(3), std::vector<float>(3)});
}

TEST_CASE("learning rates by hand") {
  const bitpq::step_schedule steps{0.01, 3};
  CHECK(steps(0) == 0.01);
  CHECK(steps(2) == 0.01);
  CHECK(steps(3) == Approx(0.001));
  CHECK(steps(8) == Approx(0.0001));
  const bitpq::cosine_schedule cosine{1.0, 12, 0.2, 2};
  CHECK(cosine(0) == Approx(1.0 / 3));
  CHECK(cosine(1) == Approx(2.0 / 3));
  CHECK(cosine(2) == 1.0);
  CHECK(cosine(7) == Approx(0.6));
  CHECK(cosine(12) == Approx(0.2));
  CHECK(cosine(100) == Approx(0.2));
  bitpq_test::check_bad_inputs({
      {errc::bad_params, "a learning rate that changes every 0 steps",
       [] {
         static_cast<void>(bitpq::step_schedule{0.1, 0}(1));
       }},
      {errc::bad_params, "learning rate -1 is not a finite number >= 0",
       [] {
         static_cast<void>(bitpq::cosine_schedule{-1, 5}(1));
       }},
      {errc::bad_params, "a schedule of 3 steps, 3 of them to warm up",
       [] {
         static_cast<void>(bitpq::cosine_schedule{1, 3, 0, 3}(1));
       }},
  });
}
