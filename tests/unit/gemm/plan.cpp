// SPDX-License-Identifier: Apache-2.0

#include "support/catch.hpp"

#include <bitpq/gemm/plan.hpp>

using bitpq::code_format;
using bitpq::gemm_path;
using bitpq::gemm_plan;
using bitpq::make_plan;

TEST_CASE("a plan takes the cheapest path") {
  const code_format few_words{4096, 1024, 8, 16, 1}, many_words{64, 576, 9, 2048, 1};
  CHECK(make_plan(few_words, {4096, 512, 16, 32}).path == gemm_path::lut);
  CHECK(make_plan(many_words, {64, 512, 16, 32}).path == gemm_path::decode);
  CHECK(make_plan(many_words, {64, 1, 16, 32}).path == gemm_path::gemv);
  for (const std::size_t columns : {1U, 2U, 31U, 32U, 33U, 1000U})
    for (const std::size_t lanes : {1U, 4U, 8U, 16U})
      for (const code_format& format : {few_words, many_words, code_format{1, 1, 1, 1, 1}}) {
        const gemm_plan plan = make_plan(format, {format.rows, columns, lanes, 2 * lanes});
        const double least = std::min({plan.decode_cost, plan.lut_cost, plan.gemv_cost});
        CHECK_FALSE(plan.forced);
        if (plan.path == gemm_path::decode) CHECK(plan.decode_cost == least);
        if (plan.path == gemm_path::lut) CHECK(plan.lut_cost == least);
        if (plan.path == gemm_path::gemv) CHECK(plan.gemv_cost == least);
      }
}

TEST_CASE("a forced plan says so and why not") {
  const code_format format{64, 576, 9, 2048, 1};
  for (const gemm_path path : {gemm_path::decode, gemm_path::lut, gemm_path::gemv}) {
    const gemm_plan plan = make_plan(format, {64, 512, 16, 32}, path);
    CHECK((plan.path == path && plan.forced));
    CHECK_THAT(plan.why(), bitpq_test::contains(std::string(bitpq::to_string(path)) + " (forced): "));
  }
  // 16 panels; decode 16 (64 * 576 * 2 + 4096), lut 16 * 2 (2048 * 576 + 1.5 * 4096), gemv 512 * 1.5 * 4096.
  const gemm_plan plan = make_plan(format, {64, 512, 16, 32});
  CHECK(plan.decode_cost == 16.0 * (64 * 576 * 2 + 4096));
  CHECK(plan.lut_cost == 32.0 * (2048 * 576 + 1.5 * 4096));
  CHECK(plan.gemv_cost == 512 * 1.5 * 4096);
  CHECK_THAT(plan.why(), bitpq_test::contains("decode: estimated vector operations decode "));
  CHECK(std::string(bitpq::to_string(gemm_path::automatic)) == "automatic");
}
