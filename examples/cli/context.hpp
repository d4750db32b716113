// SPDX-License-Identifier: Apache-2.0
#pragma once

// Errors of the library, with the words that say where they happened.

#include <bitpq/core/error.hpp>

#include <string>
#include <string_view>

namespace cli {

/// Calls f; an error that it throws gets `where` and a colon before its text.
template <class F>
decltype(auto) in_context(const std::string& where, F&& f) {
  try {
    return f();
  } catch (const bitpq::error& e) {
    const std::string_view text = e.what();
    constexpr std::string_view prefix = "bitpq: ";
    bitpq::fail(e.code(), where, ": ", text.starts_with(prefix) ? text.substr(prefix.size()) : text);
  }
}

}  // namespace cli
