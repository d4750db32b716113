// SPDX-License-Identifier: Apache-2.0

#include "support/guarded_array.hpp"
#include "support/kernels.hpp"
#include "support/random_data.hpp"

#include <cmath>
#include <limits>

using bitpq::kernel_table;
using namespace bitpq_test;

namespace {

/// One row of n outputs at stride `step`, residual at stride `residual_step` (0: none; -1: the output itself).
template <class T>
void check_store(const kernel_table<T>& k, std::size_t n, std::ptrdiff_t step, std::ptrdiff_t residual_step,
                 bool relu) {
  INFO(n << " outputs, stride " << step << ", residual stride " << residual_step << (relu ? ", relu" : ""));
  const std::vector<T> sums = random_integers<T>(n, n), residual = random_integers<T>(n, n + 1);
  const std::size_t space = n * 3 + 40;
  std::vector<T> y(space, T{12345}), other(space, T{0});
  const std::ptrdiff_t first = step < 0 ? static_cast<std::ptrdiff_t>(space) - 20 : 20;
  const auto place = [&](std::size_t i) {
    return static_cast<std::size_t>(first + static_cast<std::ptrdiff_t>(i) * step);
  };
  const bool in_place = residual_step < 0;
  const T* residual_data = nullptr;
  std::ptrdiff_t residual_stride = 1;
  if (in_place) {
    for (std::size_t i = 0; i < n; ++i) y[place(i)] = residual[i];
    residual_data = y.data() + first;
    residual_stride = step;
  } else if (residual_step > 0) {
    for (std::size_t i = 0; i < n; ++i) other[i * static_cast<std::size_t>(residual_step)] = residual[i];
    residual_data = other.data();
    residual_stride = residual_step;
  }
  std::vector<T> want = y;
  for (std::size_t i = 0; i < n; ++i) {
    const T v = sums[i] + T{3} + (residual_data == nullptr ? T{0} : residual[i]);
    want[place(i)] = relu && v < 0 ? T{0} : v;
  }
  const T bias = 3;
  k.store_rows(sums.data(), n, 1, n, {y.data() + first, 0, step, &bias, residual_data, 0, residual_stride, relu});
  REQUIRE(y == want);
}

}  // namespace

TEMPLATE_TEST_CASE("store_rows adds bias and residual and writes nothing else", "", float, double) {
  for_each_isa<TestType>([](const kernel_table<TestType>& k) {
    for (std::size_t n = 0; n <= 35; ++n)
      for (const std::ptrdiff_t step : {1, 2, 3, -1, -2})
        for (const std::ptrdiff_t residual_step : {0, 1, 2, -1})
          for (const bool relu : {false, true}) check_store(k, n, step, residual_step, relu);
  });
}

TEMPLATE_TEST_CASE("an output is the same bits in a vector and in a tail, and a scale of 1 changes none", "", float,
                   double) {
  const std::size_t n = 63;  // every width of vectors, and single elements
  for_each_isa<TestType>([&](const kernel_table<TestType>& k) {
    const std::vector<TestType> sums = random_values<TestType>(n, 1);
    const TestType bias = static_cast<TestType>(0.3);
    for (const TestType scale : {TestType{1}, static_cast<TestType>(0.7)}) {
      std::vector<TestType> together(n), singly(n), plain(n);
      k.store_rows(sums.data(), n, 1, n, {together.data(), 0, 1, &bias, nullptr, 0, 0, false, &scale});
      k.store_rows(sums.data(), n, 1, n, {plain.data(), 0, 1, &bias, nullptr, 0, 0, false});
      for (std::size_t i = 0; i < n; ++i)
        k.store_rows(&sums[i], 1, 1, 1, {&singly[i], 0, 1, &bias, nullptr, 0, 0, false, &scale});
      CHECK(together == singly);
      CHECK((together == plain) == (scale == 1));
    }
  });
}

TEMPLATE_TEST_CASE("relu keeps NaN and infinity, vector or tail", "", float, double) {
  constexpr TestType nan_value = std::numeric_limits<TestType>::quiet_NaN();
  constexpr TestType infinity = std::numeric_limits<TestType>::infinity();
  for_each_isa<TestType>([&](const kernel_table<TestType>& k) {
    std::vector<TestType> sums(37), y(37);
    for (std::size_t i = 0; i < sums.size(); ++i)
      sums[i] = std::vector<TestType>{nan_value, infinity, -infinity, TestType{-1}, TestType{2}}[i % 5];
    k.store_rows(sums.data(), sums.size(), 1, sums.size(), {y.data(), 0, 1, nullptr, nullptr, 0, 0, true});
    for (std::size_t i = 0; i < y.size(); ++i) {
      INFO("element " << i);
      if (i % 5 == 0) CHECK(std::isnan(y[i]));
      if (i % 5 == 1) CHECK(y[i] == infinity);
      if (i % 5 == 2 || i % 5 == 3) CHECK(y[i] == 0);
      if (i % 5 == 4) CHECK(y[i] == 2);
    }
    k.store_rows(sums.data(), sums.size(), 1, sums.size(), {y.data(), 0, 1, nullptr, nullptr, 0, 0, false});
    CHECK((std::isnan(y[0]) && y[2] == -infinity && y[3] == -1 && std::isnan(y[35])));
  });
}

TEMPLATE_TEST_CASE("store_rows takes each row's scale, bias, residual and place", "", float, double) {
  for_each_isa<TestType>([](const kernel_table<TestType>& k) {
    const std::size_t rows = 11, columns = 19, ld = 23;
    const std::vector<TestType> sums = random_integers<TestType>(rows * ld, 1),
                                bias = random_integers<TestType>(rows, 2), scale = random_integers<TestType>(rows, 4),
                                residual = random_integers<TestType>(rows * columns, 3);
    for (const bool by_columns : {false, true}) {
      const std::ptrdiff_t y_row = by_columns ? 1 : 31, y_column = by_columns ? 13 : 1;
      std::vector<TestType> y(31 * 20, TestType{12345}), want = y;
      for (std::size_t r = 0; r < rows; ++r)
        for (std::size_t c = 0; c < columns; ++c)
          want[r * static_cast<std::size_t>(y_row) + c * static_cast<std::size_t>(y_column)] =
              sums[r * ld + c] * scale[r] + bias[r] + residual[r * columns + c];
      k.store_rows(sums.data(), ld, rows, columns,
                   {y.data(), y_row, y_column, bias.data(), residual.data(), static_cast<std::ptrdiff_t>(columns), 1,
                    false, scale.data()});
      CHECK(y == want);
    }
  });
}
