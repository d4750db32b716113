// SPDX-License-Identifier: Apache-2.0
#pragma once

// Tables of bad inputs: each row is a call and the exact error it must end in.

#include "support/expect_error.hpp"

#include <functional>
#include <vector>

namespace bitpq_test {

struct bad_input {
  bitpq::errc code;
  std::string text;
  std::function<void()> call;
};

inline void check_bad_inputs(const std::vector<bad_input>& table) {
  for (const bad_input& row : table) expect_error(row.code, row.text, row.call);
}

}  // namespace bitpq_test
