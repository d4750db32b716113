// SPDX-License-Identifier: Apache-2.0
#pragma once

// Complaints about files: every text names the file, and names that a file brings along are cut and made printable, so
// that a hostile file can neither flood a log nor write control characters into a terminal.

#include <bitpq/core/error.hpp>

#include <cstddef>
#include <filesystem>
#include <ostream>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace bitpq {
inline namespace v1 {
namespace detail {

/// Streams `text` in single quotes: control characters as \xNN, at most `limit` bytes of whole UTF-8 characters, then
/// "...".
struct quoted {
  std::string_view text;
  std::size_t limit = 80;

  friend std::ostream& operator<<(std::ostream& out, const quoted& q) {
    constexpr char digits[] = "0123456789abcdef";
    out << '\'';
    std::size_t end = q.text.size() > q.limit ? q.limit : q.text.size();
    while (end > 0 && end < q.text.size() && (static_cast<unsigned char>(q.text[end]) & 0xC0U) == 0x80) --end;
    for (const char c : q.text.substr(0, end)) {
      const auto byte = static_cast<unsigned char>(c);
      if (byte < 0x20 || byte == 0x7F)
        out << "\\x" << digits[byte >> 4] << digits[byte & 15];
      else
        out << c;
    }
    return out << (end < q.text.size() ? "'..." : "'");
  }
};

/// Streams a shape as [2, 3], at most eight dimensions of it.
struct listed {
  const std::vector<std::size_t>& shape;

  friend std::ostream& operator<<(std::ostream& out, const listed& l) {
    out << '[';
    for (std::size_t i = 0; i < l.shape.size() && i < 8; ++i) out << (i == 0 ? "" : ", ") << l.shape[i];
    return out << (l.shape.size() > 8 ? ", ...]" : "]");
  }
};

/// Speaks of the content of one file.
class file_context {
 public:
  explicit file_context(std::string file) : file_(std::move(file)) {}

  template <class... Parts>
  [[noreturn]] void corrupt(const Parts&... parts) const {
    fail(errc::corrupt_file, file_, ": ", parts...);
  }

  template <class... Parts>
  void expect(bool condition, const Parts&... parts) const {
    if (!condition) [[unlikely]]
      corrupt(parts...);
  }

  [[nodiscard]] const std::string& file() const noexcept { return file_; }

 private:
  std::string file_;
};

/// "cannot <what> <path>: <the system's words for error number `code`>".
[[noreturn]] inline void fail_os(const char* what, const std::filesystem::path& path, int code) {
  fail(errc::io_failure, "cannot ", what, " ", path.string(), ": ", std::generic_category().message(code));
}

}  // namespace detail
}  // namespace v1
}  // namespace bitpq
