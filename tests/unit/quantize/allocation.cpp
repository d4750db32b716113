// SPDX-License-Identifier: Apache-2.0

// Allocation against all choices there are, on instances small enough to try them; and points measured on layers.

#include "support/catch.hpp"
#include "support/expect_error.hpp"
#include "support/layers.hpp"

#include <bitpq/gemm/plan.hpp>
#include <bitpq/quantize/operating_points.hpp>
#include <bitpq/quantize/presets.hpp>

using bitpq::allocate;
using bitpq::allocation;
using bitpq::allocation_budget;
using bitpq::errc;
using bitpq::layer_geometry;
using bitpq::operating_point;
using bitpq_test::expect_error;

namespace {

using instance = std::vector<std::vector<operating_point>>;

/// A few layers of a few points: mostly the more bytes and time the less error, as real ones are, some of no use at
/// all.
instance random_instance(std::uint64_t seed) {
  const bitpq::random_stream random(seed);
  std::uint64_t draw = 0;
  instance layers(1 + random.below(draw++, 5));
  for (auto& points : layers) {
    points.resize(1 + random.below(draw++, 5));
    for (operating_point& p : points) {
      p.bytes = 1 + random.below(draw++, 60);
      p.cost = static_cast<double>(1 + random.below(draw++, 40));
      const double size = static_cast<double>(p.bytes) * (0.5 + random.uniform(draw++));
      p.error = std::floor(1000 / (1 + size)) / 100;
    }
  }
  return layers;
}

bool keeps(const allocation_budget& budget, const operating_point& total) {
  return (!budget.bytes || total.bytes <= *budget.bytes) && (!budget.cost || total.cost <= *budget.cost);
}

operating_point sum_of(const instance& layers, const std::vector<std::size_t>& choice) {
  operating_point total;
  for (std::size_t l = 0; l < layers.size(); ++l) {
    total.bytes += layers[l][choice[l]].bytes;
    total.cost += layers[l][choice[l]].cost;
    total.error += layers[l][choice[l]].error;
  }
  return total;
}

/// Calls f(total) for every choice.
template <class F>
void for_each_choice(const instance& layers, const F& f) {
  std::vector<std::size_t> choice(layers.size());
  for (;;) {
    f(sum_of(layers, choice));
    std::size_t l = 0;
    while (l < layers.size() && ++choice[l] == layers[l].size()) choice[l++] = 0;
    if (l == layers.size()) return;
  }
}

/// The least error within the budget, infinite where nothing keeps it.
double best_error(const instance& layers, const allocation_budget& budget) {
  double best = std::numeric_limits<double>::infinity();
  for_each_choice(layers, [&](const operating_point& total) {
    if (keeps(budget, total)) best = std::min(best, total.error);
  });
  return best;
}

/// The most that one layer can gain or lose: no step of its hull is longer.
double longest_step(const instance& layers) {
  double longest = 0;
  for (const auto& points : layers)
    for (const operating_point& a : points)
      for (const operating_point& b : points) longest = std::max(longest, a.error - b.error);
  return longest;
}

/// What every answer must be; returns by how much its error exceeds the least.
double checked(const instance& layers, const allocation_budget& budget, const allocation& found) {
  REQUIRE(found.choice.size() == layers.size());
  const operating_point total = sum_of(layers, found.choice);
  CHECK(total.bytes == found.total.bytes);
  CHECK(total.cost == found.total.cost);
  CHECK(total.error == found.total.error);
  CHECK(keeps(budget, total));
  return total.error - best_error(layers, budget);
}

}  // namespace

TEST_CASE("an allocation within one budget is within a step of the best there is") {
  std::size_t cases = 0, exact = 0;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    const instance layers = random_instance(seed);
    const double longest = longest_step(layers);
    for (std::size_t share = 0; share <= 4; ++share) {
      operating_point least{1U << 30, 1e9, 0}, most;
      for_each_choice(layers, [&](const operating_point& total) {
        least = {std::min(least.bytes, total.bytes), std::min(least.cost, total.cost), 0};
        most = {std::max(most.bytes, total.bytes), std::max(most.cost, total.cost), 0};
      });
      const allocation_budget bytes{least.bytes + (most.bytes - least.bytes) * share / 4, {}};
      const allocation_budget cost{{},
                                   least.cost + std::floor((most.cost - least.cost) * static_cast<double>(share) / 4)};
      for (const allocation_budget& budget : {bytes, cost}) {
        INFO(seed << ", share " << share << (budget.bytes ? " of bytes" : " of time"));
        const double excess = checked(layers, budget, allocate(layers, budget));
        CHECK(excess >= 0);
        CHECK(excess <= longest + 1e-9);
        if (share == 4) CHECK(excess == 0);
        ++cases;
        exact += excess < 1e-12 ? 1 : 0;
      }
    }
  }
  INFO(exact << " of " << cases << " are the best there is");
  CHECK(exact * 10 >= cases * 7);
}

TEST_CASE("both budgets are kept, wherever the answer is found at all") {
  std::size_t reachable = 0, found = 0, exact = 0;
  for (std::uint64_t seed = 1000; seed < 1400; ++seed) {
    const instance layers = random_instance(seed);
    const bitpq::random_stream random(seed, 1);
    const allocation_budget budget{20 * layers.size() + random.below(0, 60),
                                   static_cast<double>(12 * layers.size() + random.below(1, 40))};
    INFO(seed);
    if (best_error(layers, budget) == std::numeric_limits<double>::infinity()) {
      CHECK_THROWS_AS(allocate(layers, budget), bitpq::error);
      continue;
    }
    ++reachable;
    try {
      const double excess = checked(layers, budget, allocate(layers, budget));
      CHECK(excess >= 0);
      CHECK(excess <= 2 * longest_step(layers) + 1e-9);
      ++found;
      exact += excess < 1e-12 ? 1 : 0;
    } catch (const bitpq::error& e) {  // two budgets make it a knapsack problem: tight ones may be missed
      CHECK(e.code() == errc::bad_params);
    }
  }
  INFO(exact << " best, " << found << " found, " << reachable << " reachable");
  CHECK(reachable >= 200);
  CHECK(found * 100 >= reachable * 95);
  CHECK(exact * 10 >= reachable * 6);
}

TEST_CASE("equal layers share a budget as far as it goes") {
  // The price of the second point is the same for all: it pays for three of the eight.
  const instance layers(8, {{10, 1, 1.0}, {20, 1, 0.5}});
  const allocation found = allocate(layers, {110, {}});
  CHECK(found.total.bytes == 110);
  CHECK(found.choice == std::vector<std::size_t>{1, 1, 1, 0, 0, 0, 0, 0});
  CHECK(allocate(layers, {}).total.error == 4);
  CHECK(allocate({}, {0, 0.0}).choice.empty());
}

TEST_CASE("points that no price buys are used where something is left") {
  const instance layers{{{10, 0, 1.0}, {30, 0, 0.9}, {50, 0, 0.0}}};
  CHECK(allocate(layers, {40, {}}).choice[0] == 1);
  CHECK(allocate(layers, {29, {}}).choice[0] == 0);
  CHECK(allocate(layers, {50, {}}).choice[0] == 2);
}

TEST_CASE("allocation names the smallest reachable size or time") {
  const instance layers{{{100, 5, 1}, {50, 9, 2}}, {{70, 1, 1}, {60, 2.5, 2}}};
  expect_error(errc::bad_params, "a budget of 109 bytes is below 110, the smallest reachable size", [&] {
    static_cast<void>(allocate(layers, {109, {}}));
  });
  expect_error(errc::bad_params, "a budget of time of 5.5 is below 6, the least reachable", [&] {
    static_cast<void>(allocate(layers, {{}, 5.5}));
  });
  expect_error(errc::bad_params, "a budget of time of 7 is below 10, the least that was found within 120 bytes", [&] {
    static_cast<void>(allocate(layers, {120, 7.0}));
  });
  expect_error(errc::bad_params, "layer 1 has no operating point", [&] {
    static_cast<void>(allocate(instance{{{1, 1, 1}}, {}}, {}));
  });
  expect_error(errc::bad_params,
               "operating point 0 of layer 0 has cost -1 and error 1, which are not finite numbers >= 0", [&] {
                 static_cast<void>(allocate(instance{{{1, -1, 1}}}, {}));
               });
}

TEST_CASE("candidates are formats that differ and pay") {
  for (const layer_geometry& g :
       {layer_geometry::conv2d(64, 64, {3, 3}), layer_geometry::conv2d(256, 64, {1, 1}),
        layer_geometry::linear(1000, 512), layer_geometry::conv2d(8, 3, {7, 7}), layer_geometry::linear(3, 2)}) {
    const std::vector<bitpq::pq_params> candidates = bitpq::allocation_candidates(g);
    REQUIRE_FALSE(candidates.empty());
    for (std::size_t i = 0; i < candidates.size(); ++i)
      for (std::size_t j = 0; j < i; ++j)
        CHECK_FALSE(bitpq::format_of(g, candidates[i]) == bitpq::format_of(g, candidates[j]));
  }
  CHECK(bitpq::allocation_candidates(layer_geometry::linear(1000, 512)).size() == 4 * 7);
  CHECK(bitpq::allocation_candidates(layer_geometry::linear(3, 1)).size() == 1);
}

TEST_CASE("the format of a layer is told before it is compressed") {
  const auto check = [](const layer_geometry& g, bitpq::pq_params params) {
    const std::vector<float> w = bitpq_test::random_values<float>(g.rows() * g.cols(), 3);
    params.metric = bitpq::pq_metric::weights;
    params.max_iterations = 1;
    const bitpq::layer_report report =
        bitpq::compress<float>(g, {w.data(), g.rows(), g.cols()}, nullptr, params).report;
    CHECK(report.format == bitpq::format_of(g, params));
    CHECK(report.size.bytes() == bitpq::bytes_of(report.format, params));
  };
  bitpq::pq_params params;
  check(layer_geometry::linear(40, 30), params);
  check(layer_geometry::conv2d(70, 32, {3, 3}), params);
  params.block_size = 7;
  check(layer_geometry::linear(40, 30), params);
  params.scope = bitpq::codebook_scope::position;
  check(layer_geometry::linear(40, 30), params);
  params.scope = bitpq::codebook_scope::column_groups;
  params.column_groups = 3;
  check(layer_geometry::linear(40, 35), params);
  params.stages = 2;
  params.row_scales = true;
  check(layer_geometry::linear(40, 35), params);
}

TEST_CASE("measured points: sizes exact, errors in the order of what compress comes to") {
  const layer_geometry g = layer_geometry::conv2d(96, 24, {3, 3}, {.padding = {1, 1}});
  const bitpq::extent2 image{6, 6};
  const std::vector<float> w = bitpq_test::random_values<float>(g.rows() * g.cols(), 5);
  const bitpq::matrix_view<const float> view(w.data(), g.rows(), g.cols());
  const bitpq::importance h =
      bitpq_test::moments_of(g, bitpq_test::correlated_images<float>(30, g.in_channels, image, 5), 30, image);
  std::vector<bitpq::pq_params> candidates;
  for (const std::size_t d : {9U, 18U})
    for (const std::size_t k : {8U, 32U, 128U}) {
      candidates.push_back(bitpq::params_of(bitpq::preset::fast, g));
      candidates.back().block_size = d;
      candidates.back().codewords = k;
    }
  candidates.push_back(candidates[1]);
  candidates.back().stages = 2;
  candidates.back().row_scales = true;
  // The time is what the plan of a product estimates, in cycles.
  const bitpq::kernel_shape kernels = bitpq::shape_of(bitpq::kernels<float>());
  const bitpq::path_costs costs = bitpq::path_costs_of(kernels.target);
  const bitpq::layer_cost cycles = [&](const bitpq::code_format& format) {
    const bitpq::gemm_plan plan =
        bitpq::make_plan(format, {1, g.rows(), 196, true, 9}, kernels, bitpq::precision::exact, costs);
    return *std::min_element(plan.cost.begin(), plan.cost.end());
  };
  for (const bitpq::importance* statistics : {&h, static_cast<const bitpq::importance*>(nullptr)}) {
    const std::vector<bitpq::layer_option> options =
        bitpq::measure_options<float>(g, view, statistics, candidates, cycles);
    REQUIRE(options.size() == candidates.size());
    std::vector<double> reached;
    for (const bitpq::layer_option& option : options) {
      bitpq::pq_params params = option.params;
      if (statistics == nullptr) {
        params.metric = bitpq::pq_metric::weights;
        params.refinement = {};
      }
      const bitpq::layer_report report = bitpq::compress<float>(g, view, statistics, params).report;
      CHECK(report.format == option.format);
      CHECK(report.size.bytes() == option.point.bytes);
      CHECK(option.point.cost > 0);
      reached.push_back(report.output_error.value_or(report.weight_error));
      INFO(report.format.block_size << " " << report.format.codewords << ": estimated " << option.point.error
                                    << ", reached " << reached.back());
      CHECK(option.point.error < 1.4 * reached.back());
      CHECK(option.point.error > 0.9 * reached.back());
    }
    for (std::size_t i = 0; i < options.size(); ++i)
      for (std::size_t j = 0; j < i; ++j)
        if (reached[i] < 0.8 * reached[j]) CHECK(options[i].point.error < options[j].point.error);
    // Twice: the same choice within half of the largest size.
    const instance layers(2, bitpq::points_of(options));
    const allocation chosen = allocate(layers, {options.front().point.bytes * 3, {}});
    CHECK(allocate(layers, {options.front().point.bytes * 3, {}}).choice == chosen.choice);
  }
}
