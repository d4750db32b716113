// SPDX-License-Identifier: Apache-2.0

// The transforms of Winograd's filtering, of both strides, against their matrices, on numbers for which the sums are
// exact but those of filters for tiles of 4 x 4: the results must be equal, not close.

#include "support/kernels.hpp"
#include "support/random_data.hpp"

#include <bitpq/core/concepts.hpp>

#include <array>
#include <cmath>

using bitpq::kernel_table;
using bitpq::winograd_kernels;
using namespace bitpq_test;

namespace {

template <class T>
constexpr T guard = T{12345};

/// A small matrix, by rows.
using small = std::vector<std::vector<double>>;

small zeros(std::size_t rows, std::size_t cols) { return small(rows, std::vector<double>(cols)); }

/// m x m^T.
small congruent(const small& m, const small& x) {
  small y = zeros(m.size(), m.size());
  for (std::size_t i = 0; i < m.size(); ++i)
    for (std::size_t j = 0; j < m.size(); ++j)
      for (std::size_t k = 0; k < x.size(); ++k)
        for (std::size_t l = 0; l < x.size(); ++l) y[i][j] += m[i][k] * x[k][l] * m[j][l];
  return y;
}

struct matrices {
  small filter, input, output;
};

/// Lavin and Gray, section 4.1.
matrices of_two() {
  return {{{1, 0, 0}, {0.5, 0.5, 0.5}, {0.5, -0.5, 0.5}, {0, 0, 1}},
          {{1, 0, -1, 0}, {0, 1, 1, 0}, {0, -1, 1, 0}, {0, 1, 0, -1}},
          {{1, 1, 1, 0}, {0, 1, -1, -1}}};
}

/// Of that many outputs of filters of that many taps: from the values of polynomials at some points and at infinity.
matrices of_points(const std::vector<double>& points, std::size_t taps, std::size_t outputs) {
  const std::size_t n = points.size() + 1;
  matrices m{zeros(n, taps), zeros(n, n), zeros(outputs, n)};
  for (std::size_t p = 0; p < n; ++p) {
    const bool at_infinity = p + 1 == n;
    std::vector<double> product{1};  // of all x - q but for q of the point, lowest power first
    double scale = 1;
    for (std::size_t q = 0; q + 1 < n; ++q) {
      if (q == p) continue;
      product.push_back(0);
      for (std::size_t i = product.size(); i-- > 1;) product[i] = product[i - 1] - points[q] * product[i];
      product[0] *= -points[q];
      if (!at_infinity) scale *= points[p] - points[q];
    }
    const auto power = [&](std::size_t i, std::size_t last) {
      return at_infinity ? (i == last ? 1.0 : 0.0) : std::pow(points[p], i);
    };
    for (std::size_t i = 0; i < product.size(); ++i) m.input[p][i] = product[i];
    for (std::size_t i = 0; i < taps; ++i) m.filter[p][i] = power(i, taps - 1) / scale;
    for (std::size_t i = 0; i < outputs; ++i) m.output[i][p] = power(i, outputs - 1);
  }
  return m;
}

/// By a stride of 2, from those of the outer taps on every second input. The middle tap meets the others as they are.
matrices strided(const matrices& even) {
  const std::size_t outputs = even.output.size(), n = 2 * outputs + 1;
  matrices m{zeros(outputs + 2, 3), zeros(n, n), zeros(outputs, n)};
  for (std::size_t p = 0; p <= outputs; ++p) {
    for (std::size_t i = 0; i <= outputs; ++i) m.input[p][2 * i] = even.input[p][i];
    for (std::size_t i = 0; i < outputs; ++i) m.output[i][p] = even.output[i][p];
    for (std::size_t i = 0; i < 2; ++i) m.filter[p][2 * i] = even.filter[p][i];
  }
  m.filter[outputs + 1][1] = 1;
  for (std::size_t i = 0; i < outputs; ++i) m.input[outputs + 1 + i][2 * i + 1] = m.output[i][outputs + 1 + i] = 1;
  return m;
}

/// F(2, 2), signs moved about.
matrices of_two_taps() {
  return {{{1, 0}, {1, 1}, {0, 1}}, {{1, -1, 0}, {0, 1, 0}, {0, -1, 1}}, {{1, 1, 0}, {0, 1, 1}}};
}

struct of_tile {
  std::size_t tile, stride;
  matrices m;
  std::size_t side = m.input.size(), positions = side * side;
  std::size_t filter_side = m.filter.size(), values = filter_side * filter_side, step = tile * stride;

  template <class T>
  const winograd_kernels<T>& of(const kernel_table<T>& k) const {
    return k.winograd_of(tile, stride);
  }
};

const std::vector<of_tile> tiles{{2, 1, of_two()},
                                 {4, 1, of_points({0, 0.75, -0.75, 1.5, -1.5}, 3, 4)},
                                 {2, 2, strided(of_two_taps())},
                                 {4, 2, strided(of_points({0.5, -0.5, 1.5, -1.5}, 2, 4))}};

/// The tile of column c, its elements `stride` apart.
template <class T>
small tile_of(const std::vector<T>& from, std::size_t side, std::size_t stride, std::size_t c) {
  small tile = zeros(side, side);
  for (std::size_t t = 0; t < side * side; ++t) tile[t / side][t % side] = static_cast<double>(from[t * stride + c]);
  return tile;
}

}  // namespace

TEMPLATE_TEST_CASE("winograd_filter is G g G^T", "", float, double) {
  const std::size_t count = 37, distance = 18, stride = 41;
  const std::vector<TestType> g = random_integers<TestType>(distance * count, 1);
  for_each_isa<TestType>([&](const kernel_table<TestType>& k) {
    for (const of_tile& w : tiles) {
      std::vector<TestType> u(w.values * stride, guard<TestType>);
      w.of(k).filter(g.data(), distance, count, u.data(), stride);
      for (std::size_t f = 0; f < stride; ++f) {
        small filter = zeros(3, 3);
        for (std::size_t i = 0; f < count && i < 9; ++i)
          filter[i / 3][i % 3] = static_cast<double>(g[f * distance + i]);
        const small want = congruent(w.m.filter, filter);
        for (std::size_t t = 0; t < w.values; ++t) {
          const auto got = static_cast<double>(u[t * stride + f]);
          if (f >= count)
            REQUIRE(got == static_cast<double>(guard<TestType>));
          else
            REQUIRE(std::abs(got - want[t / w.filter_side][t % w.filter_side]) <= (w.tile == 2 ? 0 : 1e-5));
        }
      }
    }
  });
}

TEMPLATE_TEST_CASE("winograd_input is B^T x B of every tile", "", float, double) {
  for_each_isa<TestType>([](const kernel_table<TestType>& k) {
    for (const of_tile& w : tiles)
      for (std::size_t columns = 1; columns <= 35; ++columns) {
        // Rows of the window lie anywhere; the second run of tiles begins anew.
        const std::size_t width = (columns + 2 * k.lanes) * w.step + 2, stride = columns + k.lanes + 3;
        const std::size_t first = columns / 2;
        const std::vector<TestType> x = random_integers<TestType>(w.side * width, columns);
        std::vector<std::size_t> taps(w.positions, 12345);
        for (std::size_t i = 0; i < w.side; ++i) taps[i * w.side] = (w.side - 1 - i) * width;
        const std::array<bitpq::copy_run, 2> runs{{{0, 1, first}, {1, 1 + first, columns - first}}};
        std::vector<TestType> v(w.positions * stride, guard<TestType>);
        w.of(k).input(x.data(), taps.data(), runs.data(), runs.size(), v.data(), stride);
        INFO(columns << " tiles of " << w.tile << ", stride " << w.stride);
        for (std::size_t c = 0; c < columns; ++c) {
          const std::size_t at = c < first ? c * w.step : 1 + (c - first) * w.step;
          small in = zeros(w.side, w.side);
          for (std::size_t t = 0; t < w.positions; ++t)
            in[t / w.side][t % w.side] = static_cast<double>(x[taps[t / w.side * w.side] + at + t % w.side]);
          REQUIRE(tile_of(v, w.side, stride, 1 + c) == congruent(w.m.input, in));
        }
        for (std::size_t t = 0; t < w.positions; ++t) {
          REQUIRE(v[t * stride] == guard<TestType>);
          REQUIRE(v[t * stride + columns + k.lanes] == guard<TestType>);
        }
      }
  });
}

TEMPLATE_TEST_CASE("winograd_output is A^T m A, tile beside tile", "", float, double) {
  for_each_isa<TestType>([](const kernel_table<TestType>& k) {
    for (const of_tile& w : tiles)
      for (std::size_t columns = 1; columns <= 35; ++columns) {
        const std::size_t whole = bitpq::round_up(columns, k.lanes), stride = whole + 1, ldy = w.tile * whole + 3;
        const std::vector<TestType> m = random_integers<TestType>(w.positions * stride, columns);
        std::vector<TestType> y(w.tile * ldy, guard<TestType>), want = y;
        for (std::size_t c = 0; c < whole; ++c) {
          const small outputs = congruent(w.m.output, tile_of(m, w.side, stride, c));
          for (std::size_t i = 0; i < w.tile * w.tile; ++i)
            want[i / w.tile * ldy + w.tile * c + i % w.tile] = static_cast<TestType>(outputs[i / w.tile][i % w.tile]);
        }
        w.of(k).output(m.data(), stride, y.data(), ldy, columns);
        INFO(columns << " tiles of " << w.tile << ", stride " << w.stride);
        REQUIRE(y == want);
      }
  });
}

TEMPLATE_TEST_CASE("the transforms together are a convolution", "", float, double) {
  const std::size_t count = 16;
  for_each_isa<TestType>([&](const kernel_table<TestType>& k) {
    for (const of_tile& w : tiles) {
      const std::size_t width = (count + k.lanes) * w.step + 2;
      const std::vector<TestType> g = random_integers<TestType>(9, 1), x = random_integers<TestType>(w.side * width, 2);
      std::vector<TestType> u(w.values), v(w.positions * count), y(w.tile * w.tile * count);
      std::vector<std::size_t> taps(w.positions);
      for (std::size_t i = 0; i < w.side; ++i) taps[i * w.side] = i * width;
      const bitpq::copy_run run{0, 0, count};
      w.of(k).filter(g.data(), 9, 1, u.data(), 1);
      w.of(k).input(x.data(), taps.data(), &run, 1, v.data(), count);
      for (std::size_t i = 0; i < v.size(); ++i) v[i] *= u[bitpq::winograd_filter_at(i / count, w.tile, w.stride)];
      w.of(k).output(v.data(), count, y.data(), w.tile * count, count);
      for (std::size_t i = 0; i < y.size(); ++i) {
        const std::size_t row = i / (w.tile * count), column = i % (w.tile * count);
        TestType sum = 0;
        for (std::size_t t = 0; t < 9; ++t)
          sum += g[t] * x[(row * w.stride + t / 3) * width + column * w.stride + t % 3];
        REQUIRE(std::abs(y[i] - sum) <= (w.tile == 2 ? 0 : sizeof(TestType) == 4 ? 1e-3 : 1e-11));
      }
    }
  });
}
