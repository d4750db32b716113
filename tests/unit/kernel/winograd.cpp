// SPDX-License-Identifier: Apache-2.0

// The transforms of F(2 x 2, 3 x 3) against their matrices, on numbers for which every sum is exact: the results must
// be equal, not close.

#include "support/kernels.hpp"
#include "support/random_data.hpp"

#include <bitpq/core/concepts.hpp>

#include <array>

using bitpq::kernel_table;
using namespace bitpq_test;

namespace {

template <class T>
constexpr T guard = T{12345};

/// A small matrix, row-major.
template <class T, std::size_t Rows, std::size_t Cols>
using small = std::array<std::array<T, Cols>, Rows>;

/// m x m^T.
template <class T, std::size_t Rows, std::size_t Cols>
small<T, Rows, Rows> congruent(const small<T, Rows, Cols>& m, const small<T, Cols, Cols>& x) {
  small<T, Rows, Rows> y{};
  for (std::size_t i = 0; i < Rows; ++i)
    for (std::size_t j = 0; j < Rows; ++j)
      for (std::size_t k = 0; k < Cols; ++k)
        for (std::size_t l = 0; l < Cols; ++l) y[i][j] += m[i][k] * x[k][l] * m[j][l];
  return y;
}

// Lavin and Gray, section 4.1.
template <class T>
constexpr small<T, 4, 3> filter_matrix{
    {{1, 0, 0}, {T{1} / 2, T{1} / 2, T{1} / 2}, {T{1} / 2, -T{1} / 2, T{1} / 2}, {0, 0, 1}}};
template <class T>
constexpr small<T, 4, 4> input_matrix{{{1, 0, -1, 0}, {0, 1, 1, 0}, {0, -1, 1, 0}, {0, 1, 0, -1}}};
template <class T>
constexpr small<T, 2, 4> output_matrix{{{1, 1, 1, 0}, {0, 1, -1, -1}}};

/// The 4 x 4 tile of column c, its elements `stride` apart.
template <class T>
small<T, 4, 4> tile_of(const std::vector<T>& from, std::size_t stride, std::size_t c) {
  small<T, 4, 4> tile{};
  for (std::size_t t = 0; t < 16; ++t) tile[t / 4][t % 4] = from[t * stride + c];
  return tile;
}

}  // namespace

TEMPLATE_TEST_CASE("winograd_filter is G g G^T", "", float, double) {
  const std::size_t filters = 20, stride = 7;
  const std::vector<TestType> g = random_integers<TestType>(9 * filters, 1);
  for_each_isa<TestType>([&](const kernel_table<TestType>& k) {
    for (std::size_t f = 0; f < filters; ++f) {
      small<TestType, 3, 3> filter{};
      for (std::size_t i = 0; i < 9; ++i) filter[i / 3][i % 3] = g[f * 9 + i];
      const small<TestType, 4, 4> expected = congruent(filter_matrix<TestType>, filter);
      std::vector<TestType> u(16 * stride, guard<TestType>), want = u;
      for (std::size_t t = 0; t < 16; ++t) want[t * stride] = expected[t / 4][t % 4];
      k.winograd_filter(g.data() + f * 9, u.data(), stride);
      REQUIRE(u == want);
    }
  });
}

namespace {

/// winograd_input of tiles x[t * ldx + c], c < columns, in two runs.
template <class T>
void transform(const kernel_table<T>& k, const std::vector<T>& x, std::size_t ldx, std::vector<T>& v,
               std::size_t stride, std::size_t columns) {
  std::array<std::size_t, 16> taps{};
  for (std::size_t t = 0; t < taps.size(); ++t) taps[t] = t * ldx;
  const std::size_t half = columns / 2 / k.lanes * k.lanes;
  const std::array<bitpq::copy_run, 2> runs{{{0, 0, half}, {static_cast<std::ptrdiff_t>(half), half, columns - half}}};
  k.winograd_input(x.data(), taps.data(), runs.data(), runs.size(), v.data(), stride);
}

}  // namespace

TEMPLATE_TEST_CASE("winograd_input is B^T x B of every tile", "", float, double) {
  for_each_isa<TestType>([](const kernel_table<TestType>& k) {
    for (std::size_t columns = 1; columns <= 35; ++columns) {
      const std::size_t whole = bitpq::round_up(columns, k.lanes), ldx = whole + 1, stride = whole + 3;
      const std::vector<TestType> x = random_integers<TestType>(16 * ldx, columns);
      std::vector<TestType> v(16 * stride, guard<TestType>), want = v;
      for (std::size_t c = 0; c < whole; ++c) {
        const small<TestType, 4, 4> expected = congruent(input_matrix<TestType>, tile_of(x, ldx, c));
        for (std::size_t t = 0; t < 16; ++t) want[t * stride + c] = expected[t / 4][t % 4];
      }
      transform(k, x, ldx, v, stride, columns);
      INFO(columns << " columns");
      REQUIRE(v == want);
    }
  });
}

TEMPLATE_TEST_CASE("winograd_output is A^T m A, tile beside tile", "", float, double) {
  for_each_isa<TestType>([](const kernel_table<TestType>& k) {
    for (std::size_t columns = 1; columns <= 35; ++columns) {
      const std::size_t whole = bitpq::round_up(columns, k.lanes), stride = whole + 1, ldy = 2 * whole + 3;
      const std::vector<TestType> m = random_integers<TestType>(16 * stride, columns);
      std::vector<TestType> y(2 * ldy, guard<TestType>), want = y;
      for (std::size_t c = 0; c < whole; ++c) {
        const small<TestType, 2, 2> expected = congruent(output_matrix<TestType>, tile_of(m, stride, c));
        for (std::size_t i = 0; i < 4; ++i) want[i / 2 * ldy + 2 * c + i % 2] = expected[i / 2][i % 2];
      }
      k.winograd_output(m.data(), stride, y.data(), ldy, columns);
      INFO(columns << " columns");
      REQUIRE(y == want);
    }
  });
}

TEMPLATE_TEST_CASE("the transforms together are a convolution", "", float, double) {
  const std::vector<TestType> g = random_integers<TestType>(9, 1), x = random_integers<TestType>(16 * 16, 2);
  for_each_isa<TestType>([&](const kernel_table<TestType>& k) {
    std::vector<TestType> u(16), v(16 * 16), y(2 * 32);
    k.winograd_filter(g.data(), u.data(), 1);
    transform(k, x, 16, v, 16, 16);
    for (std::size_t i = 0; i < v.size(); ++i) v[i] *= u[i / 16];
    k.winograd_output(v.data(), 16, y.data(), 32, 16);
    for (std::size_t i = 0; i < y.size(); ++i) {
      const std::size_t row = i / 32, column = i % 2, tile = i % 32 / 2;
      TestType sum = 0;
      for (std::size_t t = 0; t < 9; ++t) sum += g[t] * x[((row + t / 3) * 4 + column + t % 3) * 16 + tile];
      REQUIRE(y[i] == sum);
    }
  });
}
