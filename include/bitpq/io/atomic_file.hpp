// SPDX-License-Identifier: Apache-2.0
#pragma once

// Replaces a file as a whole or not at all: written beside the target, brought to the medium, renamed. Whoever opens
// the target sees the old content or the new, through a full disk, an exception, a kill and a power cut.

#include <bitpq/io/detail/file_context.hpp>
#include <bitpq/io/detail/output_file.hpp>

#include <filesystem>
#include <random>
#include <span>
#include <string>
#include <system_error>
#include <utility>

namespace bitpq {
inline namespace v1 {

/// write() any number of times, then commit(). Without commit() nothing happened: the destructor removes the part file.
/// Only a process that is killed leaves one behind, named <target>.<16 hexadecimal digits>.part.
class atomic_file {
 public:
  /// A symbolic link is followed and stays a link. Throws io_failure, with path and reason, when the folder cannot be
  /// written or the target is there and no regular file.
  explicit atomic_file(const std::filesystem::path& target) : target_(resolved(target)) {
    for (int tries = 0;; ++tries) {
      part_ = part_name(target_);
      const int result = file_.create(part_, target_);
      if (result == 0) return;
      if (result != EEXIST || tries == 100) detail::fail_os("create", part_, result);
    }
  }

  atomic_file(const atomic_file&) = delete;
  atomic_file& operator=(const atomic_file&) = delete;
  ~atomic_file() { discard(); }

  /// Appends. Throws io_failure, the part file removed, when the system refuses, for instance on a full disk.
  void write(std::span<const std::byte> bytes) {
    require(file_.is_open(), errc::io_failure, "cannot write ", target_.string(), ": already committed or failed");
    give_up_on(file_.write(bytes), "write");
  }

  /// Puts the file in the target's place. Throws io_failure, the target as it was, when the system refuses; only when
  /// the text says that the folder cannot be synchronised is the new file in place, though a power cut may undo it.
  void commit() {
    require(file_.is_open(), errc::io_failure, "cannot commit ", target_.string(), ": already committed or failed");
    give_up_on(file_.close_synced(), "write");
    std::error_code why;
    std::filesystem::rename(part_, target_, why);
    give_up_on(why.default_error_condition().value(), "replace");
    part_ = std::filesystem::path();
    const std::filesystem::path folder = target_.has_parent_path() ? target_.parent_path() : ".";
    const int result = detail::sync_folder(folder);
    if (result != 0) detail::fail_os("synchronise folder", folder, result);
  }

 private:
  static std::filesystem::path resolved(const std::filesystem::path& target) {
    std::error_code why;
    const std::filesystem::file_status status = std::filesystem::status(target, why);
    if (status.type() == std::filesystem::file_type::not_found) return target;
    if (why) detail::fail_os("examine", target, why.default_error_condition().value());
    require(std::filesystem::is_regular_file(status), errc::io_failure, "cannot replace ", target.string(),
            ": not a regular file");
    const std::filesystem::path real = std::filesystem::canonical(target, why);
    return why ? target : real;
  }

  /// In the target's folder, since a rename does not cross file systems; cut short of the usual limit of 255 bytes.
  static std::filesystem::path part_name(const std::filesystem::path& target) {
    std::random_device device;
    std::string name = target.filename().string().substr(0, 200) + ".";
    for (int i = 0; i < 16; ++i) name += "0123456789abcdef"[device() % 16];
    return target.parent_path() / (name + ".part");
  }

  void give_up_on(int code, const char* what) {
    if (code == 0) return;
    discard();
    detail::fail_os(what, target_, code);
  }

  void discard() noexcept {
    file_.close();
    std::error_code ignored;
    if (!part_.empty()) std::filesystem::remove(part_, ignored);
    part_ = std::filesystem::path();
  }

  std::filesystem::path target_;
  std::filesystem::path part_;
  detail::output_file file_;
};

}  // namespace v1
}  // namespace bitpq
