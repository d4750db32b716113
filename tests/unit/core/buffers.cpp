// SPDX-License-Identifier: Apache-2.0

#include "support/catch.hpp"

#include <bitpq/core/aligned_buffer.hpp>

#include <vector>

using bitpq::aligned_buffer;

namespace {
template <class T>
bool aligned(const aligned_buffer<T>& b) {
  return reinterpret_cast<std::uintptr_t>(b.data()) % bitpq::buffer_alignment == 0;
}
}  // namespace

TEMPLATE_TEST_CASE("buffers are aligned, zeroed and as large as asked", "", std::uint8_t, std::uint16_t, float,
                   double) {
  for (std::size_t n = 0; n < 70; ++n) {
    const aligned_buffer<TestType> b(n);
    REQUIRE((b.size() == n && b.empty() == (n == 0) && aligned(b) && b.span().size() == n));
    for (const TestType v : b) REQUIRE(v == TestType{0});
  }
}

TEST_CASE("copies of buffers are deep, moves leave an empty one") {
  const std::vector<float> values{1, 2, 3, 4, 5};
  aligned_buffer<float> a{std::span<const float>(values)};
  aligned_buffer<float> copy(a);
  a[0] = -1;
  CHECK((copy[0] == 1 && copy[4] == 5 && copy.data() != a.data() && aligned(copy)));
  const float* const where = copy.data();
  aligned_buffer<float> moved(std::move(copy));
  CHECK((moved.data() == where && moved.size() == 5));
  CHECK(copy.empty());  // NOLINT(bugprone-use-after-move): promised
  copy = a;
  CHECK((copy.size() == 5 && copy[0] == -1));
  copy = std::move(moved);
  CHECK((copy.data() == where && copy[0] == 1 && moved.empty()));  // NOLINT(bugprone-use-after-move)
  aligned_buffer<float>& itself = copy;
  copy = itself;
  CHECK((copy.size() == 5 && copy[4] == 5));
  copy.swap(a);
  CHECK((copy[0] == -1 && a[0] == 1));
}
