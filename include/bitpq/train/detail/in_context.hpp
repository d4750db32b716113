// SPDX-License-Identifier: Apache-2.0
#pragma once

// Says of an error where it happened.

#include <bitpq/core/error.hpp>

#include <string_view>

namespace bitpq {
inline namespace v1 {
namespace detail {

/// f(), its errors' texts preceded by the parts and a colon. Without exceptions the texts stay as they are.
template <class F, class... Parts>
decltype(auto) in_context(F&& f, const Parts&... where) {
#if BITPQ_HAS_EXCEPTIONS
  try {
    return f();
  } catch (const error& e) {
    fail(e.code(), where..., ": ", std::string_view(e.what()).substr(std::string_view("bitpq: ").size()));
  }
#else
  (static_cast<void>(where), ...);
  return f();
#endif
}

}  // namespace detail
}  // namespace v1
}  // namespace bitpq
