// SPDX-License-Identifier: Apache-2.0
#pragma once

// Sizes as people write them.

#include <bitpq/core/error.hpp>

#include <charconv>
#include <cmath>
#include <string>
#include <string_view>

namespace cli {

/// "5MB", "1.5 MiB", "800000": kB, MB, GB are powers of 1000 and KiB, MiB, GiB of 1024; K, M, G are as kB, MB, GB.
/// Throws bad_params for anything else.
inline std::size_t parse_byte_size(std::string_view text) {
  struct unit {
    std::string_view name;
    double bytes;
  };
  constexpr unit units[] = {{"", 1},     {"B", 1},   {"K", 1e3},  {"kB", 1e3},     {"KB", 1e3},     {"M", 1e6},
                            {"MB", 1e6}, {"G", 1e9}, {"GB", 1e9}, {"KiB", 0x1p10}, {"MiB", 0x1p20}, {"GiB", 0x1p30}};
  double number = 0;
  const char* const last = text.data() + text.size();
  const std::from_chars_result result = std::from_chars(text.data(), last, number, std::chars_format::fixed);
  std::string_view rest(result.ptr, static_cast<std::size_t>(last - result.ptr));
  while (rest.starts_with(' ')) rest.remove_prefix(1);
  for (const unit& u : units)
    if (result.ec == std::errc{} && u.name == rest && number >= 0 && number * u.bytes < 0x1p62)
      return static_cast<std::size_t>(std::floor(number * u.bytes));
  bitpq::fail(bitpq::errc::bad_params, "\"", text, "\" is no size; write it as 800000, 5MB or 1.5MiB");
}

}  // namespace cli
