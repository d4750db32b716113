// SPDX-License-Identifier: Apache-2.0

#include "support/kernels.hpp"
#include "support/random_data.hpp"

using bitpq::copy_run;
using bitpq::kernel_table;
using namespace bitpq_test;

TEMPLATE_TEST_CASE("filter_runs filters ascending runs in whole vectors", "", float, double) {
  const std::vector<TestType> window = random_integers<TestType>(600, 1), weights = random_integers<TestType>(9, 2);
  const std::vector<std::size_t> taps{0, 1, 2, 50, 51, 52, 300, 7, 301};
  for_each_isa<TestType>([&](const kernel_table<TestType>& k) {
    for (std::size_t length = 0; length <= 70; ++length)
      for (const std::size_t count : {1U, 2U, 9U}) {
        const std::vector<copy_run> runs{{40, 2, 5}, {0, 7, length}, {91, 7 + length, 1}};
        std::vector<TestType> dst(8 + length + k.lanes, TestType{12345});
        k.filter_runs(window.data(), taps.data(), weights.data(), count, runs.data(), runs.size(), dst.data());
        INFO(count << " taps, runs of 5, " << length << " and 1");
        for (const copy_run& run : runs)
          for (std::size_t i = 0; i < run.length; ++i) {
            TestType sum = 0;
            for (std::size_t t = 0; t < count; ++t)
              sum += weights[t] * window[taps[t] + static_cast<std::size_t>(run.from) + i];
            REQUIRE(dst[run.to + i] == sum);
          }
        CHECK((dst[0] == 12345 && dst[1] == 12345));
        CHECK(dst.back() == 12345);  // less than a vector beyond the last run
      }
  });
}

TEMPLATE_TEST_CASE("an element of filter_runs is the same bits wherever it stands", "", float, double) {
  const std::vector<TestType> window = random_values<TestType>(300, 1), weights = random_values<TestType>(9, 2);
  const std::vector<std::size_t> taps{0, 1, 2, 50, 51, 52, 100, 101, 102};
  for_each_isa<TestType>([&](const kernel_table<TestType>& k) {
    const auto filtered = [&](std::size_t from, std::size_t length) {
      const copy_run run{static_cast<std::ptrdiff_t>(from), 0, length};
      std::vector<TestType> dst(length + k.lanes);
      k.filter_runs(window.data(), taps.data(), weights.data(), taps.size(), &run, 1, dst.data());
      dst.resize(length);
      return dst;
    };
    const std::vector<TestType> whole = filtered(0, 100);
    for (std::size_t i = 0; i < whole.size(); ++i) REQUIRE(filtered(i, 1).front() == whole[i]);
  });
}
