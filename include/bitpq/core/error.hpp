// SPDX-License-Identifier: Apache-2.0
#pragma once

// Errors of the library. One exception type whose code tells the kind and whose text carries the offending numbers.

#include <bitpq/core/config.hpp>

#include <cstdlib>
#include <locale>
#include <sstream>
#include <stdexcept>
#include <string>

namespace bitpq {
inline namespace v1 {

enum class errc {
  bad_shape,      ///< extents, strides or sizes that do not fit together
  bad_params,     ///< a parameter outside its range
  non_finite,     ///< NaN or infinity where a finite number is needed
  out_of_memory,  ///< more memory asked for than can be had or addressed
  corrupt_file,   ///< a file whose content contradicts its format
  io_failure,     ///< the operating system refused to read or write
  unsupported,    ///< a valid request that this build or machine cannot serve
  cancelled,      ///< a progress callback asked to stop
};

/// The code's name, as it stands in the enumeration.
constexpr const char* to_string(errc code) noexcept {
  switch (code) {
    case errc::bad_shape: return "bad_shape";
    case errc::bad_params: return "bad_params";
    case errc::non_finite: return "non_finite";
    case errc::out_of_memory: return "out_of_memory";
    case errc::corrupt_file: return "corrupt_file";
    case errc::io_failure: return "io_failure";
    case errc::unsupported: return "unsupported";
    case errc::cancelled: return "cancelled";
  }
  return "unknown";
}

/// The exception of every failure: `code()` for programs, `what()` with the numbers for people.
class error : public std::runtime_error {
 public:
  error(errc code, const std::string& text) : std::runtime_error("bitpq: " + text), code_(code) {}
  [[nodiscard]] errc code() const noexcept { return code_; }

 private:
  errc code_;
};

using fatal_error_handler = void (*)(const error&);

namespace detail {
inline fatal_error_handler& fatal_handler() noexcept {
  static fatal_error_handler handler = nullptr;
  return handler;
}
}  // namespace detail

/// What a build without exceptions calls before it aborts; null restores the default (abort at once).
inline void set_fatal_error_handler(fatal_error_handler handler) noexcept { detail::fatal_handler() = handler; }

/// Throws `error(code, text)` where text is the concatenation of the parts, streamed.
template <class... Parts>
[[noreturn]] void fail(errc code, const Parts&... parts) {
  std::ostringstream text;
  text.imbue(std::locale::classic());  // the host's locale may group digits
  (text << ... << parts);
  const error failure(code, text.str());
#if BITPQ_HAS_EXCEPTIONS
  throw failure;
#else
  if (detail::fatal_handler() != nullptr) detail::fatal_handler()(failure);
  std::abort();
#endif
}

/// `fail` unless the condition holds.
template <class... Parts>
void require(bool condition, errc code, const Parts&... parts) {
  if (!condition) [[unlikely]]
    fail(code, parts...);
}

}  // namespace v1
}  // namespace bitpq
