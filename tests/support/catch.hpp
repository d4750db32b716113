// SPDX-License-Identifier: Apache-2.0
#pragma once

// The one place where tests meet Catch2, so that both of its major versions serve: version 2 is a single header,
// version 3 a library of small ones. What the two name differently has one name here.

#include <string>

#if __has_include(<catch2/catch_test_macros.hpp>)
#include <catch2/catch_approx.hpp>
#include <catch2/catch_message.hpp>
#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>
#include <catch2/matchers/catch_matchers.hpp>
#include <catch2/matchers/catch_matchers_floating_point.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
using Catch::Approx;
#else
#include <catch2/catch.hpp>
#endif

namespace bitpq_test {

/// Matches a string that contains `text` (the two versions of Catch2 name this matcher differently).
inline auto contains(const std::string& text) {
#if __has_include(<catch2/catch_test_macros.hpp>)
  return Catch::Matchers::ContainsSubstring(text);
#else
  return Catch::Matchers::Contains(text);
#endif
}

}  // namespace bitpq_test

/// Leaves a test case with a word in the log: for what cannot run here (a data file or an instruction is missing).
#define BITPQ_TEST_SKIP(reason)  \
  do {                           \
    WARN("skipped: " << reason); \
    return;                      \
  } while (false)
