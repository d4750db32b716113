// SPDX-License-Identifier: Apache-2.0
#pragma once

// A file's bytes, read-only, mapped into memory where the system can: a large model costs no copy and pages that nobody
// reads are never loaded. Elsewhere the file is read into a buffer.

#include <bitpq/io/detail/file_context.hpp>

#include <cerrno>
#include <cstddef>
#include <filesystem>
#include <span>
#include <utility>

#if __has_include(<sys/mman.h>)
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#else
#include <fstream>
#include <vector>
#endif

namespace bitpq {
inline namespace v1 {

/// The bytes live as long as the object; moving it does not move them. Writers that replace files by rename, as bitpq's
/// do, leave a mapped file whole; a program that shortens it in place makes later reads a bus error.
class mapped_file {
 public:
  mapped_file() = default;

  /// Throws io_failure, with path and the system's reason, for what is no readable regular file.
  explicit mapped_file(const std::filesystem::path& path) { open(path); }

  mapped_file(const mapped_file&) = delete;
  mapped_file& operator=(const mapped_file&) = delete;
  mapped_file(mapped_file&& other) noexcept { swap(other); }
  mapped_file& operator=(mapped_file&& other) noexcept {
    mapped_file taken(std::move(other));
    swap(taken);
    return *this;
  }
  ~mapped_file() { close(); }

  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return bytes_; }

 private:
  void swap(mapped_file& other) noexcept {
    std::swap(bytes_, other.bytes_);
#if !__has_include(<sys/mman.h>)
    buffer_.swap(other.buffer_);
#endif
  }

#if __has_include(<sys/mman.h>)
  struct descriptor {
    int fd;
    ~descriptor() {
      if (fd >= 0) ::close(fd);
    }
  };

  void open(const std::filesystem::path& path) {
    // Without O_NONBLOCK a named pipe would wait for a writer before it could be refused.
    const descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    if (file.fd < 0) detail::fail_os("open", path, errno);
    struct stat status {};
    if (::fstat(file.fd, &status) != 0) detail::fail_os("examine", path, errno);
    require(S_ISREG(status.st_mode), errc::io_failure, "cannot read ", path.string(), ": not a regular file");
    const auto size = static_cast<std::size_t>(status.st_size);
    if (size == 0) return;  // the system maps no empty ranges
    void* const start = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.fd, 0);
    if (start == MAP_FAILED) detail::fail_os("map", path, errno);
    bytes_ = {static_cast<const std::byte*>(start), size};
  }

  void close() noexcept {
    if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
  }
#else
  void open(const std::filesystem::path& path) {
    std::error_code why;
    const auto size = std::filesystem::file_size(path, why);
    if (why) detail::fail_os("open", path, why.default_error_condition().value());
    buffer_.resize(static_cast<std::size_t>(size));
    std::ifstream file(path, std::ios::binary);
    file.read(reinterpret_cast<char*>(buffer_.data()), static_cast<std::streamsize>(buffer_.size()));
    if (!file) detail::fail_os("read", path, EIO);
    bytes_ = buffer_;
  }

  void close() noexcept {}

  std::vector<std::byte> buffer_;
#endif

  std::span<const std::byte> bytes_;
};

}  // namespace v1
}  // namespace bitpq
