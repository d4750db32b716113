// SPDX-License-Identifier: Apache-2.0

// What calibration promises whatever the machine is doing meanwhile: nothing here depends on a time.

#include "support/catch.hpp"
#include "support/random_pq.hpp"

#include <bitpq/gemm/calibrate.hpp>

#include <cmath>

TEMPLATE_TEST_CASE("calibrated costs are usable", "", float, double) {
  const bitpq::path_costs costs = bitpq::calibrate<TestType>();
  for (const double scale : costs.scale) CHECK((scale > 0 && std::isfinite(scale)));
  CHECK(costs.scale[static_cast<std::size_t>(bitpq::gemm_path::decode)] == 1);
  CHECK(costs.scale[static_cast<std::size_t>(bitpq::gemm_path::depthwise)] == 1);
  CHECK(costs.multiply == bitpq::path_costs_of(bitpq::kernels<TestType>().target, bitpq::this_core()).multiply);

  const bitpq::code_format format{70, 64, 8, 16, 1};
  auto w = bitpq::prepack(bitpq_test::random_pq<TestType>(format, 1));
  const bitpq::gemm_plan before = bitpq::plan_gemm(w, 20);
  w.set_costs(costs);
  const bitpq::gemm_plan after = bitpq::plan_gemm(w, 20);
  for (std::size_t i = 0; i < before.cost.size(); ++i) {
    INFO(bitpq::to_string(bitpq::all_gemm_paths[i]));
    const double scale = costs.scale[static_cast<std::size_t>(bitpq::all_gemm_paths[i])];
    if (std::isfinite(before.cost[i])) CHECK(after.cost[i] == Approx(before.cost[i] * scale));
    CHECK(std::isfinite(before.cost[i]) == std::isfinite(after.cost[i]));
  }
}
