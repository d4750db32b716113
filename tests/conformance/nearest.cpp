// SPDX-License-Identifier: Apache-2.0

// Assignment on every instruction set, through the class that callers use, against distances in double precision: the
// code must name a codeword whose distance is the least up to rounding, and the lowest index where whole numbers make
// distances equal. What the other kernels of k-means add up is compared with sums in double precision.

#include "support/kernels.hpp"
#include "support/random_data.hpp"

#include <bitpq/cluster/step.hpp>

#include <algorithm>
#include <cmath>

using bitpq::kernel_table;
using namespace bitpq_test;

namespace {

const std::vector<std::size_t> dimensions{1, 2, 3, 4, 5, 7, 8, 9, 13, 16, 17, 18, 25, 31, 32, 33, 48, 63, 64};
const std::vector<std::size_t> counts{1, 2, 3, 5, 15, 16, 17, 31, 64, 100, 255, 256, 257, 300, 1000, 1025};
const std::vector<std::size_t> sizes{1, 2, 7, 15, 16, 17, 33, 63, 64, 65, 100, 127, 129, 200, 333};

template <class T>
double distance(const T* a, const T* b, std::size_t d) {
  return bitpq::detail::squared_distance(a, b, d);
}

template <class T>
std::vector<std::uint16_t> codes_of(const kernel_table<T>& k, const std::vector<T>& points, const std::vector<T>& words,
                                    std::size_t d) {
  std::vector<std::uint16_t> codes(points.size() / d);
  bitpq::detail::codeword_columns<T>(words, d, k).nearest(points, codes, {});
  return codes;
}

/// The first of the nearest.
template <class T>
std::uint16_t nearest_by_hand(const T* point, const std::vector<T>& words, std::size_t d) {
  std::size_t best = 0;
  double least = std::numeric_limits<double>::infinity();
  for (std::size_t k = 0; k < words.size() / d; ++k)
    if (const double away = distance(point, words.data() + k * d, d); away < least) {
      least = away;
      best = k;
    }
  return static_cast<std::uint16_t>(best);
}

template <class F>
void for_each_shape(const F& f) {
  std::size_t turn = 0;
  for (const std::size_t d : dimensions)
    for (const std::size_t count : counts) {
      const std::size_t n = sizes[turn++ % sizes.size()];
      INFO(n << " points of " << d << ", " << count << " codewords");
      f(n, d, count);
    }
}

}  // namespace

TEMPLATE_TEST_CASE("codes name a nearest codeword on every instruction set", "", float, double) {
  using T = TestType;
  const double eps = static_cast<double>(std::numeric_limits<T>::epsilon());
  for_each_isa<T>([&](const kernel_table<T>& k) {
    for_each_shape([&](std::size_t n, std::size_t d, std::size_t count) {
      const std::vector<T> points = random_values<T>(n * d, n + d), words = random_values<T>(count * d, count);
      const std::vector<std::uint16_t> codes = codes_of(k, points, words, d);
      double slack = 0;
      for (std::size_t p = 0; p < n; ++p) {
        REQUIRE(codes[p] < count);
        const T* const point = points.data() + p * d;
        const double least = distance(point, words.data() + nearest_by_hand(point, words, d) * d, d);
        slack = std::max(slack, distance(point, words.data() + codes[p] * d, d) - least);
      }
      REQUIRE(slack <= eps * static_cast<double>(4 * d * (d + 4)));  // norms are below d
    });
  });
}

TEMPLATE_TEST_CASE("of equally near codewords the first is named on every instruction set", "", float, double) {
  using T = TestType;
  for_each_isa<T>([](const kernel_table<T>& k) {
    for_each_shape([&](std::size_t n, std::size_t d, std::size_t count) {
      // A mean of zero keeps all numbers whole: each codeword has its mirror image.
      std::vector<T> words = random_integers<T>(count * d, count, 2);
      for (std::size_t w = 0; w < (count + 1) / 2; ++w)
        for (std::size_t i = 0; i < d; ++i)
          words[(count - 1 - w) * d + i] = 2 * w + 1 == count ? T{0} : -words[w * d + i];
      const std::vector<T> points = random_integers<T>(n * d, n + d, 3);
      const std::vector<std::uint16_t> codes = codes_of(k, points, words, d);
      for (std::size_t p = 0; p < n; ++p) REQUIRE(codes[p] == nearest_by_hand(points.data() + p * d, words, d));
    });
  });
}

TEST_CASE("integer scores give the codes of floats") {
  // Only avx512vnni has them; avx512 has the same float kernel. Structure makes it hard: near ties, sizes far apart,
  // duplicates, points that are codewords, points far outside.
  const auto usable = bitpq::usable_kernels<float>();
  const auto with = [&](bitpq::isa target) {
    return std::find_if(usable.begin(), usable.end(), [&](const auto* k) { return k->target == target; });
  };
  const auto floats = with(bitpq::isa::avx512), integers = with(bitpq::isa::avx512vnni);
  if (floats == usable.end() || integers == usable.end()) return;
  for (const std::size_t d : {4U, 5U, 8U, 9U, 16U, 18U, 33U, 64U})
    for (const std::size_t count : {32U, 33U, 100U, 256U, 1000U, 3000U})
      for (const int kind : {0, 1, 2, 3, 4}) {
        INFO("d " << d << ", " << count << " codewords, kind " << kind);
        std::vector<float> points = random_values<float>(1000 * d, d + count),
                           words = random_values<float>(count * d, 7);
        for (std::size_t i = 0; i < points.size(); ++i) {
          if (kind == 1) points[i] *= std::exp(8 * points[i / d * d]);                  // norms of all sizes
          if (kind == 2) points[i] = words[i % words.size()] + 1e-6F * points[i];       // next to codewords
          if (kind == 3) points[i] = std::round(4 * points[i]);                         // ties
          if (kind == 4) points[i] = std::ldexp(points[i], i / d % 7 == 0 ? 90 : -90);  // beyond what is rounded
        }
        for (std::size_t i = 0; i < words.size(); ++i) {
          if (kind == 3) words[i] = std::round(4 * words[i]);
          if (kind == 0 && i / d % 2 == 1) words[i] = words[i - d] + 1e-4F * words[i];  // pairs
        }
        REQUIRE(codes_of(**integers, points, words, d) == codes_of(**floats, points, words, d));
      }
}

TEMPLATE_TEST_CASE("differences are added to their clusters on every instruction set", "", float, double) {
  using T = TestType;
  for_each_isa<T>([](const kernel_table<T>& k) {
    for (const std::size_t d : dimensions)
      for (const bool weighted : {false, true}) {
        const std::size_t n = 77, count = 9, stride = d + 2, step = bitpq::sum_stride(d);
        INFO("d " << d << (weighted ? ", weighted" : ""));
        // Rows end where the memory ends, so that a sanitizer sees a read beyond.
        const std::vector<T> memory = random_values<T>((n - 1) * stride + d, d), words = random_values<T>(count * d, 3);
        const std::vector<T> weights = random_values<T>(weighted ? n : 0, 4);
        const std::vector<std::uint16_t> codes = random_codes(n, count, 5);
        std::vector<double> sums(count * step, 0.5), totals(count, 0.25), want = sums, want_totals = totals;
        double error = 0;
        for (std::size_t p = 0; p < n; ++p) {
          const double weight = weighted ? static_cast<double>(weights[p]) : 1.0;
          for (std::size_t i = 0; i < d; ++i) {
            const double difference =
                static_cast<double>(memory[p * stride + i]) - static_cast<double>(words[codes[p] * d + i]);
            want[codes[p] * step + i] += weight * difference;
            error += weight * difference * difference;
          }
          want_totals[codes[p]] += weight;
        }
        const double got = k.add_to_clusters(memory.data(), static_cast<std::ptrdiff_t>(stride), n, d,
                                             weighted ? weights.data() : nullptr, codes.data(), words.data(),
                                             sums.data(), totals.data());
        REQUIRE(std::abs(got - error) <= 1e-12 * static_cast<double>(n * d));
        REQUIRE(totals == want_totals);
        for (std::size_t i = 0; i < sums.size(); ++i) REQUIRE(std::abs(sums[i] - want[i]) <= 1e-13);
      }
  });
}

TEMPLATE_TEST_CASE("potentials are lowered on every instruction set", "", float, double) {
  using T = TestType;
  const double eps = static_cast<double>(std::numeric_limits<T>::epsilon());
  for_each_isa<T>([&](const kernel_table<T>& k) {
    for (const std::size_t d : dimensions) {
      const std::size_t n = 5 * k.lanes, ld = n + 3;
      const std::vector<T> columns = random_values<T>(ld * d, d), word = random_values<T>(d, 2);
      std::vector<T> weights = random_values<T>(n, 3), values = random_values<T>(n, 4);
      for (T& w : weights) w = std::abs(w);
      for (T& v : values) v = std::abs(v) * static_cast<T>(d) / 2;
      std::vector<double> want;
      double total = 0;
      for (std::size_t p = 0; p < n; ++p) {
        double squared = 0;
        for (std::size_t i = 0; i < d; ++i)
          squared += std::pow(static_cast<double>(columns[i * ld + p]) - static_cast<double>(word[i]), 2);
        want.push_back(std::min(static_cast<double>(values[p]), static_cast<double>(weights[p]) * squared));
        total += want.back();
      }
      const T sum = k.lower_potentials(columns.data(), ld, n, d, word.data(), weights.data(), values.data());
      const double bound = eps * static_cast<double>(4 * d * (d + 4));
      for (std::size_t p = 0; p < n; ++p) REQUIRE(std::abs(static_cast<double>(values[p]) - want[p]) <= bound);
      REQUIRE(std::abs(static_cast<double>(sum) - total) <= bound * static_cast<double>(n));
    }
  });
}
