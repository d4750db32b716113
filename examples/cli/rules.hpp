// SPDX-License-Identifier: Apache-2.0
#pragma once

// Which weights are compressed and how: an ordered list, of which the first rule that matches a tensor's name counts.
//
//   [{"match": "stem.*", "skip": true},
//    {"regex": "layer[34]\\..*weight", "d": 18, "k": 512, "storage": "i8"},
//    {"match": "fc.weight", "d": 4, "preset": "best"}]
//
// "match" is a glob over the whole name (* any characters, ? one), "regex" an ECMAScript expression for all of it.

#include <bitpq/quantize/presets.hpp>

#include <filesystem>
#include <optional>
#include <regex>
#include <string>
#include <vector>

namespace cli {

/// What a rule asks for; the rest is the preset's.
struct rule {
  std::string pattern;
  std::regex expression{};
  bool skip = false;
  std::optional<std::size_t> d{}, k{};
  std::optional<bitpq::preset> preset{};
  std::optional<bitpq::codeword_type> storage{};
};

/// Throws io_failure, or bad_params with the file and the number of the rule, counted from 1.
[[nodiscard]] std::vector<rule> read_rules(const std::filesystem::path& path);

/// The first rule for that name, or null.
[[nodiscard]] const rule* find_rule(const std::vector<rule>& rules, const std::string& name);

}  // namespace cli
