// SPDX-License-Identifier: Apache-2.0
#pragma once

// Every instruction set that this program carries and this machine has, for tests that visit them one by one.

#include "support/catch.hpp"

#include <bitpq/kernel/dispatch.hpp>

#include <string>

namespace bitpq_test {

/// Calls f(table) for each, with its name in the failure messages of Catch2.
template <bitpq::scalar T, class F>
void for_each_isa(F&& f) {
  for (const bitpq::kernel_table<T>* table : bitpq::usable_kernels<T>()) {
    INFO("kernels: " << bitpq::to_string(table->target));
    f(*table);
  }
}

/// Their names, the best last.
template <bitpq::scalar T>
std::string usable_names() {
  std::string names;
  for (const bitpq::kernel_table<T>* table : bitpq::usable_kernels<T>())
    names += (names.empty() ? "" : ", ") + std::string(bitpq::to_string(table->target));
  return names;
}

}  // namespace bitpq_test
