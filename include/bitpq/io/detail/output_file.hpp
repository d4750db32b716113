// SPDX-License-Identifier: Apache-2.0
#pragma once

// The system's calls behind atomic_file. They return error numbers (0 for none), so that the caller decides what to
// undo before it throws.

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <span>

#if __has_include(<unistd.h>)
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#endif

namespace bitpq {
inline namespace v1 {
namespace detail {

#if __has_include(<unistd.h>)

/// A file opened for writing that did not exist before.
class output_file {
 public:
  output_file() = default;
  output_file(const output_file&) = delete;
  output_file& operator=(const output_file&) = delete;
  ~output_file() { close(); }

  /// EEXIST when the name is taken. The file gets the permissions of the file it is to replace, or else the usual ones.
  [[nodiscard]] int create(const std::filesystem::path& path, const std::filesystem::path& replaces) {
    struct stat old {};
    const bool inherits = ::stat(replaces.c_str(), &old) == 0;
    const mode_t mode = inherits ? (old.st_mode & mode_t{0777}) : mode_t{0666};
    fd_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd_ < 0) return errno;
    // The umask may have taken some away. Where they cannot be given back the file stays more private than the old.
    if (inherits) static_cast<void>(::fchmod(fd_, mode) == 0);
    return 0;
  }

  [[nodiscard]] int write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const ssize_t written = ::write(fd_, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return errno;
      bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
    return 0;
  }

  /// Returns when the content is on the medium.
  [[nodiscard]] int close_synced() {
    const int synced = ::fsync(fd_) == 0 ? 0 : errno;
    const int closed = close();
    return synced != 0 ? synced : closed;
  }

  int close() noexcept {
    const int result = fd_ < 0 || ::close(fd_) == 0 ? 0 : errno;
    fd_ = -1;
    return result;
  }

  [[nodiscard]] bool is_open() const noexcept { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

/// Makes a rename within the folder survive a power cut. File systems that cannot do this say EINVAL.
[[nodiscard]] inline int sync_folder(const std::filesystem::path& folder) {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return errno == EACCES ? 0 : errno;  // a folder may be writable without being readable
  const int result = ::fsync(fd) == 0 || errno == EINVAL ? 0 : errno;
  ::close(fd);
  return result;
}

#else

class output_file {
 public:
  output_file() = default;
  output_file(const output_file&) = delete;
  output_file& operator=(const output_file&) = delete;
  ~output_file() { close(); }

  [[nodiscard]] int create(const std::filesystem::path& path, const std::filesystem::path&) {
    file_ = std::fopen(path.string().c_str(), "wbx");
    return file_ == nullptr ? errno : 0;
  }
  [[nodiscard]] int write(std::span<const std::byte> bytes) {
    return std::fwrite(bytes.data(), 1, bytes.size(), file_) == bytes.size() ? 0 : errno;
  }
  [[nodiscard]] int close_synced() { return close(); }
  int close() noexcept {
    const int result = file_ == nullptr || std::fclose(file_) == 0 ? 0 : errno;
    file_ = nullptr;
    return result;
  }
  [[nodiscard]] bool is_open() const noexcept { return file_ != nullptr; }

 private:
  std::FILE* file_ = nullptr;
};

[[nodiscard]] inline int sync_folder(const std::filesystem::path&) { return 0; }

#endif

}  // namespace detail
}  // namespace v1
}  // namespace bitpq
