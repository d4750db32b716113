// SPDX-License-Identifier: Apache-2.0
#pragma once

// Checks that a call fails with one exact error. Texts are part of the promise: they carry the offending numbers.

#include "support/catch.hpp"

#include <bitpq/core/error.hpp>

#include <string>

namespace bitpq_test {

template <class F>
void expect_error(bitpq::errc code, const std::string& text, F&& call) {
  INFO("expected " << bitpq::to_string(code) << ": " << text);
  try {
    call();
  } catch (const bitpq::error& e) {
    CHECK(std::string(bitpq::to_string(e.code())) == bitpq::to_string(code));
    CHECK(std::string(e.what()) == "bitpq: " + text);
    return;
  } catch (const std::exception& e) {
    FAIL_CHECK("another exception: " << e.what());
    return;
  }
  FAIL_CHECK("no error at all");
}

}  // namespace bitpq_test
