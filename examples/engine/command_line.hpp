// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the programs' command lines have in common.

#include <bitpq/core/error.hpp>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <optional>
#include <string>
#include <string_view>

namespace engine {

/// The value of an option that counts something. Throws bad_params unless it is a whole number in that range.
inline std::size_t whole_number(const std::string& option, const std::string& value, std::size_t least = 1,
                                std::optional<std::size_t> most = std::nullopt) {
  const bool digits = !value.empty() && value.size() < 19 && value.find_first_not_of("0123456789") == std::string::npos;
  const std::size_t result = digits ? std::stoul(value) : 0;
  const bool inside = digits && result >= least && (!most || result <= *most);
  const std::string range = most ? " from " + std::to_string(least) + " to " + std::to_string(*most)
                                 : " of at least " + std::to_string(least);
  bitpq::require(inside, bitpq::errc::bad_params, option, " ", value, " is not a whole number", range);
  return result;
}

/// take(name, value) for each word of a command line; value() is the word behind it, which is then passed over. Throws
/// bad_params with `usage` where there is none, and where take() does not know the name.
template <class Take>
void for_each_option(int argc, char** argv, const std::string& usage, const Take& take) {
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    const auto value = [&]() -> std::string {
      bitpq::require(i + 1 < argc, bitpq::errc::bad_params, name, " needs a value\n", usage);
      return argv[++i];
    };
    bitpq::require(take(name, value), bitpq::errc::bad_params, "unknown option ", name, "\n", usage);
  }
}

/// What a report calls the commit that it measured: `./run` says so in the environment.
inline std::string measured_commit() {
  const char* const commit = std::getenv("BITPQ_COMMIT");
  return commit != nullptr ? commit : "unknown";
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
