// SPDX-License-Identifier: Apache-2.0
//
// A libFuzzer target; CMakeLists.txt beside this file says how to build and run it. The same loading, under changes
// that are the same every time, is tested by tests/unit/io/mutations.cpp.

#include "fuzz/load_anything.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  bitpq_test::load_anything(std::as_bytes(std::span(data, size)));
  return 0;
}
