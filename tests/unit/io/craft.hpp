// SPDX-License-Identifier: Apache-2.0
#pragma once

// Files made by hand, right or wrong, and what is said of them.

#include <bitpq/core/error.hpp>
#include <bitpq/io/detail/little_endian.hpp>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bitpq_test {

/// Header length, header as given (no padding), then `data`.
inline std::vector<std::byte> craft(std::string_view header, std::string_view data = {}) {
  std::vector<std::byte> file(8);
  bitpq::detail::store_le(std::uint64_t{header.size()}, file.data());
  for (const char c : header) file.push_back(static_cast<std::byte>(c));
  for (const char c : data) file.push_back(static_cast<std::byte>(c));
  return file;
}

inline void write_file(const std::filesystem::path& path, std::string_view text) {
  std::ofstream(path, std::ios::binary) << text;
}

inline void write_file(const std::filesystem::path& path, const std::vector<std::byte>& bytes) {
  write_file(path, std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

inline std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

inline std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// "<code>: <text>" of the bitpq::error that `f` throws, or "no error".
template <class F>
std::string error_of(F&& f) {
  try {
    f();
  } catch (const bitpq::error& e) {
    return std::string(bitpq::to_string(e.code())) + ": " + e.what();
  }
  return "no error";
}

/// How many files a folder holds.
inline std::size_t files_in(const std::filesystem::path& folder) {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
}

}  // namespace bitpq_test
