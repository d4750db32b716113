// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the programs' command lines have in common.

#include <bitpq/core/error.hpp>

#include <cstdio>
#include <exception>
#include <string>
#include <string_view>

namespace engine {

/// The value of an option that counts something. Throws bad_params unless it is a whole number of at least `least`.
inline std::size_t whole_number(const std::string& option, const std::string& value, std::size_t least = 1) {
  const bool digits = !value.empty() && value.size() < 19 && value.find_first_not_of("0123456789") == std::string::npos;
  const std::size_t result = digits ? std::stoul(value) : 0;
  bitpq::require(digits && result >= least, bitpq::errc::bad_params, option, " ", value,
                 " is not a whole number of at least ", least);
  return result;
}

/// A program's main(): --help prints `usage`; what run() throws is printed, and the program fails.
template <class Run>
int run_program(int argc, char** argv, const char* usage, const Run& run) {
  if (argc == 2 && std::string_view(argv[1]) == "--help") {
    std::fputs(usage, stdout);
    return 0;
  }
  try {
    run();
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
  return 0;
}

}  // namespace engine
