// SPDX-License-Identifier: Apache-2.0

#include "support/kernels.hpp"
#include "support/random_data.hpp"

#include <bitpq/core/aligned_buffer.hpp>

using bitpq::kernel_table;
using namespace bitpq_test;

namespace {

/// Codewords in the order that the kernel reads: negated columns in groups, padded with what is never nearest.
template <class T>
struct columns {
  columns(const std::vector<T>& words, std::size_t count, std::size_t d)
      : padded(bitpq::round_up(count, group)), values(d * padded), half_norms(padded, infinity), origin(d) {
    for (std::size_t w = 0; w < count; ++w) {
      half_norms[w] = 0;
      for (std::size_t i = 0; i < d; ++i) {
        values[(w / group * d + i) * group + w % group] = -words[w * d + i];
        half_norms[w] += words[w * d + i] * words[w * d + i] / 2;
      }
    }
  }
  [[nodiscard]] bitpq::nearest_words<T> view() const {
    return {values.data(), half_norms.data(), origin.data(), padded, origin.size()};
  }
  static constexpr std::size_t group = bitpq::nearest_group;
  static constexpr T infinity = std::numeric_limits<T>::infinity();
  std::size_t padded;
  std::vector<T> values, half_norms, origin;
};

template <class T>
std::vector<std::uint16_t> nearest_by_hand(const std::vector<T>& points, const std::vector<T>& words, std::size_t d) {
  std::vector<std::uint16_t> codes;
  for (std::size_t p = 0; p * d < points.size(); ++p) {
    T least = std::numeric_limits<T>::infinity();
    std::size_t best = 0;
    for (std::size_t w = 0; w * d < words.size(); ++w) {
      T distance = 0;
      for (std::size_t i = 0; i < d; ++i)
        distance += (points[p * d + i] - words[w * d + i]) * (points[p * d + i] - words[w * d + i]);
      if (distance < least) {
        least = distance;
        best = w;
      }
    }
    codes.push_back(static_cast<std::uint16_t>(best));
  }
  return codes;
}

template <class T>
std::vector<std::uint16_t> nearest(const kernel_table<T>& k, const std::vector<T>& points, const std::vector<T>& words,
                                   std::size_t d) {
  const columns<T> book(words, words.size() / d, d);
  const std::size_t n = points.size() / d;
  bitpq::aligned_buffer<T> scratch(k.nearest_scratch(book.padded, d));
  std::vector<std::uint16_t> codes(n + 5, 54321);
  k.nearest(points.data(), static_cast<std::ptrdiff_t>(d), n, book.view(), scratch.data(), codes.data());
  for (std::size_t i = n; i < codes.size(); ++i) REQUIRE(codes[i] == 54321);
  codes.resize(n);
  return codes;
}

}  // namespace

TEMPLATE_TEST_CASE("nearest finds the nearest codeword, of equals the first", "", float, double) {
  for_each_isa<TestType>([](const kernel_table<TestType>& k) {
    for (std::size_t count = 1; count <= 70; count += count < 35 ? 1 : 7)
      for (const std::size_t d : {1U, 2U, 5U}) {
        // Whole numbers of a small range: exact distances, and many ties among and between codewords.
        const std::vector<TestType> words = random_integers<TestType>(count * d, count, 3);
        const std::vector<TestType> points = random_integers<TestType>(91 * d, count + 1, 4);
        INFO(count << " codewords of " << d);
        REQUIRE(nearest(k, points, words, d) == nearest_by_hand(points, words, d));
      }
    const std::vector<TestType> many = random_integers<TestType>(3001 * 3, 5, 40);
    const std::vector<TestType> points = random_integers<TestType>(50 * 3, 6, 40);
    REQUIRE(nearest(k, points, many, 3) == nearest_by_hand(points, many, 3));
  });
}

TEMPLATE_TEST_CASE("nearest never chooses padding", "", float, double) {
  constexpr TestType huge = std::numeric_limits<TestType>::max();
  for_each_isa<TestType>([&](const kernel_table<TestType>& k) {
    // The squares overflow: every score is infinite, as the padding's is.
    for (const std::size_t count : {1U, 3U, 17U}) {
      const std::vector<TestType> words(count, huge);
      CHECK(nearest(k, std::vector<TestType>{-1, 0, 1, 2, -huge}, words, 1) == std::vector<std::uint16_t>(5, 0));
    }
    const std::vector<TestType> far{TestType{1000}, TestType{-1000}, TestType{999}};
    CHECK(nearest(k, std::vector<TestType>{0, 0, 0, 0, 0}, far, 1) == std::vector<std::uint16_t>(5, 2));
    // A point that is no number is nearest to nothing; it still gets a code that exists.
    const std::vector<TestType> nan_point{std::numeric_limits<TestType>::quiet_NaN()};
    CHECK(nearest(k, nan_point, far, 1)[0] < 3);
  });
}

TEMPLATE_TEST_CASE("nearest takes any number of points, at any distance in memory", "", float, double) {
  constexpr std::size_t d = 3;
  const std::vector<TestType> words = random_integers<TestType>(37 * d, 1, 9);
  for_each_isa<TestType>([&](const kernel_table<TestType>& k) {
    columns<TestType> book(words, 37, d);
    bitpq::aligned_buffer<TestType> scratch(k.nearest_scratch(book.padded, d));
    for (std::size_t n = 0; n <= 150; ++n)
      for (const std::size_t stride : {3U, 4U, 11U}) {
        const std::vector<TestType> memory = random_integers<TestType>(n * stride + 1, n + stride, 9);
        std::vector<TestType> points;
        for (std::size_t p = 0; p < n; ++p)
          points.insert(points.end(), memory.data() + p * stride, memory.data() + p * stride + d);
        std::vector<std::uint16_t> codes(n);
        k.nearest(memory.data(), static_cast<std::ptrdiff_t>(stride), n, book.view(), scratch.data(), codes.data());
        REQUIRE(codes == nearest_by_hand(points, words, d));
      }
    // The origin is where the codewords are told to be: points are moved to it.
    const std::vector<TestType> point{5, 6, 7};
    book.origin = {TestType{4} - words[60], TestType{8} - words[61], TestType{7} - words[62]};
    std::vector<TestType> moved;
    for (std::size_t i = 0; i < d; ++i) moved.push_back(point[i] - book.origin[i]);
    std::uint16_t code = 0;
    k.nearest(point.data(), 3, 1, book.view(), scratch.data(), &code);
    CHECK(code == nearest_by_hand(moved, words, d)[0]);
  });
}

TEMPLATE_TEST_CASE("nearest tells 65536 codewords apart", "", float, double) {
  constexpr std::size_t d = 16, count = 65536;
  std::vector<TestType> words(count * d);  // the corners of a cube: exact distances
  for (std::size_t i = 0; i < words.size(); ++i) words[i] = ((i / d) >> (i % d) & 1U) != 0 ? TestType{1} : TestType{-1};
  const std::vector<std::uint16_t> codes{65535, 0, 65534, 32768, 12345, 1, 40000};
  std::vector<TestType> points;
  for (const std::uint16_t code : codes)
    for (std::size_t i = 0; i < d; ++i) points.push_back(words[code * d + i] / 2);
  for_each_isa<TestType>([&](const kernel_table<TestType>& k) { CHECK(nearest(k, points, words, d) == codes); });
}
