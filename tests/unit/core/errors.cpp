// SPDX-License-Identifier: Apache-2.0

#include "support/bad_inputs.hpp"
#include "support/catch.hpp"

#include <bitpq/core/aligned_buffer.hpp>
#include <bitpq/core/matrix_view.hpp>
#include <bitpq/core/nchw_view.hpp>

#include <locale>

using bitpq::errc;
using bitpq::matrix_view;
using bitpq::nchw_view;

// An impossible allocation is one of the bad inputs: it must come back as a null pointer, as without sanitizers.
extern "C" {
const char* __asan_default_options();
const char* __asan_default_options() { return "allocator_may_return_null=1"; }
const char* __tsan_default_options();
const char* __tsan_default_options() { return "allocator_may_return_null=1"; }
}

namespace {
constexpr std::size_t two_to(int exponent) { return std::size_t{1} << exponent; }
constexpr float nan_value = std::numeric_limits<float>::quiet_NaN();
constexpr float infinity = std::numeric_limits<float>::infinity();
}  // namespace

TEST_CASE("bad views, buffers and values are refused with their numbers") {
  float data[12] = {};
  const matrix_view<float> m(data, 3, 4);
  const std::vector<float> with_nan{0, 1, 2, 3, 4, nan_value};
  const std::vector<float> with_infinity{0, -infinity, 2, infinity};
  bitpq_test::check_bad_inputs({
      {errc::bad_shape, "matrix view of 2 x 3 over a null pointer", [] { matrix_view<float>(nullptr, 2, 3); }},
      {errc::bad_shape, "matrix view of 1 x 1 over a null pointer", [] { matrix_view<float>(nullptr, 1, 1, 5, 7); }},
      {errc::bad_shape, "span of 12 elements viewed as 3 x 5",
       [&] { matrix_view<float>(std::span<float>(data), 3, 5); }},
      {errc::bad_shape, "span of 12 elements viewed as 3 x 3",
       [&] { matrix_view<float>(std::span<float>(data), 3, 3); }},
      {errc::bad_shape, "matrix view: 9223372036854775808 x 2 overflows",
       [&] { matrix_view<float>(std::span<float>(data), two_to(63), 2); }},
      {errc::bad_shape, "block of 2 x 2 at (2, 1) leaves a view of 3 x 4",
       [&] { static_cast<void>(m.block(2, 1, 2, 2)); }},
      {errc::bad_shape, "block of 0 x 1 at (4, 0) leaves a view of 3 x 4",
       [&] { static_cast<void>(m.block(4, 0, 0, 1)); }},
      {errc::bad_shape, "block of 1 x 18446744073709551615 at (0, 2) leaves a view of 3 x 4",
       [&] { static_cast<void>(m.block(0, 2, 1, ~std::size_t{0})); }},
      {errc::bad_shape, "view of 1 x 2 x 3 x 4 over a null pointer", [] { nchw_view<float>(nullptr, 1, 2, 3, 4); }},
      {errc::bad_shape, "image plane: 4294967296 x 4294967296 overflows",
       [&] { nchw_view<float>(data, 1, 1, two_to(32), two_to(32)); }},
      {errc::bad_shape, "image: 4294967296 x 8589934592 overflows",
       [&] { nchw_view<float>(data, 1, two_to(32), two_to(32), 2); }},
      {errc::bad_shape, "batch of images: 4294967296 x 8589934592 overflows",
       [&] { static_cast<void>(nchw_view<float>::nhwc(data, two_to(32), 2, two_to(31), 2)); }},
      {errc::bad_shape, "buffer: 2305843009213693952 x 8 overflows", [] { bitpq::aligned_buffer<double>(two_to(61)); }},
      {errc::out_of_memory, "cannot allocate 4611686018427387904 bytes",
       [] { bitpq::aligned_buffer<float>(two_to(60)); }},
      {errc::non_finite, "weights holds nan at (1, 2)",
       [&] { bitpq::require_finite(matrix_view<const float>(with_nan.data(), 2, 3), "weights"); }},
      {errc::non_finite, "weights holds -inf at (1, 0)",
       [&] { bitpq::require_finite(matrix_view<const float>(with_infinity.data(), 2, 2, 1, 2), "weights"); }},
      {errc::non_finite, "points holds inf at 1",
       [&] { bitpq::require_finite(std::span<const float>(with_infinity).subspan(2), "points"); }},
      {errc::bad_shape, "things: 4294967296 x 4294967296 overflows",
       [] { bitpq::checked_product(two_to(32), two_to(32), "things"); }},
  });
}

TEST_CASE("sizes at the edge of what can be counted are accepted") {
  CHECK(bitpq::checked_product(two_to(32), two_to(32) - 1, "x") == two_to(32) * (two_to(32) - 1));
  CHECK(bitpq::checked_product(~std::size_t{0}, 1, "x") == ~std::size_t{0});
  CHECK(bitpq::checked_product(~std::size_t{0}, 0, "x") == 0);
  CHECK(bitpq::ceil_div(~std::size_t{0}, 2) == two_to(63));
  CHECK((bitpq::ceil_div(0, 5) == 0 && bitpq::ceil_div(10, 5) == 2 && bitpq::ceil_div(11, 5) == 3));
  CHECK((bitpq::round_up(0, 8) == 0 && bitpq::round_up(8, 8) == 8 && bitpq::round_up(9, 8) == 16));
}

TEST_CASE("every error code has its name") {
  const std::vector<std::pair<errc, std::string>> names{
      {errc::bad_shape, "bad_shape"},         {errc::bad_params, "bad_params"},     {errc::non_finite, "non_finite"},
      {errc::out_of_memory, "out_of_memory"}, {errc::corrupt_file, "corrupt_file"}, {errc::io_failure, "io_failure"},
      {errc::unsupported, "unsupported"},     {errc::cancelled, "cancelled"},       {static_cast<errc>(99), "unknown"},
  };
  for (const auto& [code, name] : names) CHECK(bitpq::to_string(code) == name);
}

namespace {
struct grouped_digits : std::numpunct<char> {
  [[nodiscard]] char do_thousands_sep() const override { return '.'; }
  [[nodiscard]] std::string do_grouping() const override { return "\3"; }
};
}  // namespace

TEST_CASE("numbers in errors do not change with the host's locale") {
  const std::locale before = std::locale::global(std::locale(std::locale::classic(), new grouped_digits));
  bitpq_test::expect_error(errc::bad_shape, "matrix view of 1000000 x 2000 over a null pointer",
                           [] { matrix_view<float>(nullptr, 1000000, 2000); });
  std::locale::global(before);
}
