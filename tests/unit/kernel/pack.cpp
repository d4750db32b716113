// SPDX-License-Identifier: Apache-2.0

#include "support/kernels.hpp"
#include "support/random_data.hpp"

using bitpq::copy_run;
using bitpq::kernel_table;
using namespace bitpq_test;

TEMPLATE_TEST_CASE("gather_runs copies runs at any step and nothing else", "", float, double) {
  const std::vector<TestType> src = random_integers<TestType>(400, 1);
  const std::vector<copy_run> runs{{3, 0, 1},   {100, 40, 37}, {9, 2, 16}, {50, 80, 0},
                                   {7, 18, 17}, {1, 80, 18},   {2, 35, 5}, {8, 77, 3}};
  for_each_isa<TestType>([&](const kernel_table<TestType>& k) {
    for (const std::ptrdiff_t step : {1, 2, 5, -1}) {
      std::vector<TestType> dst(100, TestType{12345}), want = dst;
      for (const copy_run& run : runs)
        for (std::size_t i = 0; i < run.length; ++i)
          want[run.to + i] = src[static_cast<std::size_t>(100 + run.from + static_cast<std::ptrdiff_t>(i) * step)];
      k.gather_runs(src.data() + 100, step, runs.data(), runs.size(), dst.data());
      CHECK(dst == want);
    }
  });
}

TEMPLATE_TEST_CASE("copy_runs copies ascending runs in whole vectors", "", float, double) {
  const std::vector<TestType> src = random_integers<TestType>(400, 2);
  const std::vector<copy_run> runs{{30, 0, 7}, {11, 7, 7}, {200, 14, 1}, {60, 15, 40}};
  for_each_isa<TestType>([&](const kernel_table<TestType>& k) {
    const std::vector<std::size_t> offsets{0, 5, 100};
    const std::size_t ld = 55;
    std::vector<TestType> dst(3 * ld + k.lanes, TestType{12345});
    k.copy_runs(src.data(), offsets.data(), offsets.size(), runs.data(), runs.size(), dst.data(), ld);
    for (std::size_t row = 0; row < offsets.size(); ++row)
      for (const copy_run& run : runs)
        for (std::size_t i = 0; i < run.length; ++i)
          CHECK(dst[row * ld + run.to + i] == src[offsets[row] + static_cast<std::size_t>(run.from) + i]);
    CHECK(dst.back() == 12345);  // less than a vector beyond the last run
  });
}

TEMPLATE_TEST_CASE("pack_rows copies rows and nothing else", "", float, double) {
  const std::vector<TestType> src = random_integers<TestType>(12 * 70, 3);
  for_each_isa<TestType>([&](const kernel_table<TestType>& k) {
    for (const std::size_t n : {1U, 5U, 16U, 33U, 64U}) {
      std::vector<TestType> dst(12 * 66, TestType{12345}), want = dst;
      for (std::size_t r = 0; r < 12; ++r)
        for (std::size_t c = 0; c < n; ++c) want[r * 66 + c] = src[r * 70 + c];
      k.pack_rows(src.data(), 70, dst.data(), 66, 12, n);
      CHECK(dst == want);
    }
  });
}

TEMPLATE_TEST_CASE("gather_runs reads no further than the last element of a run", "", float, double) {
  for_each_isa<TestType>([](const kernel_table<TestType>& k) {
    for (const std::size_t step : {1U, 2U, 3U})
      for (std::size_t length = 1; length <= 70; ++length) {
        // The source ends with the run: a sanitizer sees what reads beyond.
        const std::vector<TestType> src = random_integers<TestType>((length - 1) * step + 1, length);
        std::vector<TestType> dst(length + 1, TestType{12345}), want = dst;
        for (std::size_t i = 0; i < length; ++i) want[i] = src[i * step];
        const copy_run run{0, 0, length};
        k.gather_runs(src.data(), static_cast<std::ptrdiff_t>(step), &run, 1, dst.data());
        INFO(length << " elements, step " << step);
        REQUIRE(dst == want);
      }
  });
}
