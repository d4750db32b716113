// SPDX-License-Identifier: Apache-2.0
//
// A target is replaced as a whole or not at all. The failures are real ones: a limit on file size, a full file system,
// a kill; each in a process of its own.

#include "support/catch.hpp"
#include "support/paths.hpp"
#include "unit/io/craft.hpp"

#include <bitpq/io/atomic_file.hpp>

#include <cerrno>
#include <csignal>
#include <functional>

#if __has_include(<sys/wait.h>)
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#define BITPQ_TEST_HAS_FORK
#endif
#if __has_include(<sched.h>) && __has_include(<sys/mount.h>) && defined(__linux__)
#include <sched.h>
#include <sys/mount.h>
#define BITPQ_TEST_HAS_MOUNT
#endif

namespace fs = std::filesystem;
using bitpq::atomic_file;
using bitpq_test::bytes_of;
using bitpq_test::error_of;
using bitpq_test::files_in;
using bitpq_test::read_file;
using bitpq_test::write_file;

static void replace(const fs::path& target, std::string_view text) {
  atomic_file file(target);
  file.write(bytes_of(text));
  file.commit();
}

TEST_CASE("a new file and a replaced one hold what was written", "[io]") {
  const bitpq_test::temp_dir dir;
  replace(dir / "f", "first");
  CHECK(read_file(dir / "f") == "first");
  atomic_file file(dir / "f");
  file.write(bytes_of("sec"));
  CHECK(read_file(dir / "f") == "first");
  file.write(bytes_of("ond"));
  file.commit();
  CHECK(read_file(dir / "f") == "second");
  CHECK(files_in(dir.path()) == 1);
  CHECK(error_of([&] { file.write(bytes_of("x")); }) ==
        "io_failure: bitpq: cannot write " + (dir / "f").string() + ": already committed or failed");
  CHECK(error_of([&] { file.commit(); }) ==
        "io_failure: bitpq: cannot commit " + (dir / "f").string() + ": already committed or failed");
}

TEST_CASE("without commit nothing happened", "[io]") {
  const bitpq_test::temp_dir dir;
  write_file(dir / "f", "old");
  {
    atomic_file file(dir / "f");
    file.write(bytes_of("new"));
    CHECK(files_in(dir.path()) == 2);
  }
  CHECK(files_in(dir.path()) == 1);
  CHECK(read_file(dir / "f") == "old");
}

TEST_CASE("names as long as the file system takes, and relative ones, are written", "[io]") {
  const bitpq_test::temp_dir dir;
  const std::string name(255, 'n');
  replace(dir / name, "long");
  CHECK(read_file(dir / name) == "long");
  const fs::path before = fs::current_path();
  fs::current_path(dir.path());
  replace("relative", "here");
  fs::current_path(before);
  CHECK(read_file(dir / "relative") == "here");
}

TEST_CASE("targets that cannot be replaced are named with the reason", "[io]") {
  const bitpq_test::temp_dir dir;
  CHECK(error_of([&] { atomic_file{dir.path()}; }) ==
        "io_failure: bitpq: cannot replace " + dir.path().string() + ": not a regular file");
  const std::string text = error_of([&] { atomic_file{dir / "no" / "folder"}; });
  CHECK_THAT(text, bitpq_test::contains("io_failure: bitpq: cannot create " + (dir / "no" / "folder.").string()));
  CHECK_THAT(text, bitpq_test::contains(".part: No such file or directory"));
  if (fs::exists("/dev/full"))
    CHECK(error_of([&] { atomic_file{"/dev/full"}; }) ==
          "io_failure: bitpq: cannot replace /dev/full: not a regular file");
}

TEST_CASE("a rename that fails leaves no part file", "[io]") {
  const bitpq_test::temp_dir dir;
  atomic_file file(dir / "f");
  file.write(bytes_of("new"));
  fs::create_directory(dir / "f");  // after the file was begun
  CHECK_THAT(error_of([&] { file.commit(); }),
             bitpq_test::contains("io_failure: bitpq: cannot replace " + (dir / "f").string() + ": "));
  CHECK(files_in(dir.path()) == 1);
  CHECK(fs::is_directory(dir / "f"));
}

#ifdef BITPQ_TEST_HAS_FORK

TEST_CASE("a symbolic link stays one, and its target is replaced", "[io]") {
  const bitpq_test::temp_dir dir;
  fs::create_directory(dir / "elsewhere");
  write_file(dir / "elsewhere" / "real", "old");
  fs::create_symlink(dir / "elsewhere" / "real", dir / "link");
  replace(dir / "link", "new");
  CHECK(fs::is_symlink(dir / "link"));
  CHECK(read_file(dir / "elsewhere" / "real") == "new");
  CHECK(files_in(dir.path()) == 2);
}

TEST_CASE("permissions are those of the file replaced, else the usual ones", "[io]") {
  const bitpq_test::temp_dir dir;
  const auto mode = [&](const char* name) { return static_cast<unsigned>(fs::status(dir / name).permissions()); };
  const mode_t before = ::umask(027);
  replace(dir / "new", "x");
  for (const unsigned wanted : {0600U, 0664U, 0444U}) {
    write_file(dir / "old", "x");
    fs::permissions(dir / "old", static_cast<fs::perms>(wanted));
    replace(dir / "old", "y");
    CHECK(mode("old") == wanted);
    fs::remove(dir / "old");
  }
  ::umask(before);
  CHECK(mode("new") == 0640);
}

/// Runs `f` in a child process and returns its wait status; what f returns becomes the exit status.
static int in_child(const std::function<int()>& f) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(f());
  int status = 0;
  ::waitpid(child, &status, 0);
  return status;
}

/// 0 when a large write over `target` fails for that reason and leaves the old file alone.
static int write_too_much(const fs::path& target, int reason) {
  const std::string large(1 << 20, 'x');
  const std::string text = error_of([&] { replace(target, large); });
  if (text != "io_failure: bitpq: cannot write " + target.string() + ": " + std::generic_category().message(reason))
    return 1;
  if (read_file(target) != "old") return 2;
  return files_in(target.parent_path()) == 1 ? 0 : 3;
}

TEST_CASE("a write that stops half way leaves the target and no part file", "[io]") {
  const bitpq_test::temp_dir dir;
  write_file(dir / "f", "old");
  const int status = in_child([&] {
    const struct rlimit limit = {4096, 4096};
    std::signal(SIGXFSZ, SIG_IGN);  // so that the write fails instead
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return 10;
    return write_too_much(dir / "f", EFBIG);
  });
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  CHECK(read_file(dir / "f") == "old");
}

TEST_CASE("a full file system leaves the target and no part file", "[io]") {
#ifdef BITPQ_TEST_HAS_MOUNT
  const bitpq_test::temp_dir dir;
  const int status = in_child([&] {
    // A mount of the child's own, which goes with it.
    if (::unshare(CLONE_NEWNS) != 0) return 77;
    if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return 77;
    if (::mount("tmpfs", dir.path().c_str(), "tmpfs", 0, "size=64k") != 0) return 77;
    write_file(dir / "f", "old");
    return write_too_much(dir / "f", ENOSPC);
  });
  CHECK(WIFEXITED(status));
  if (WEXITSTATUS(status) == 77) BITPQ_TEST_SKIP("no small file system can be mounted here");
  CHECK(WEXITSTATUS(status) == 0);
#else
  BITPQ_TEST_SKIP("no small file system can be mounted here");
#endif
}

TEST_CASE("a kill in the middle leaves the target, and the next write succeeds", "[io]") {
  const bitpq_test::temp_dir dir;
  write_file(dir / "f", "old");
  const int status = in_child([&] {
    atomic_file file(dir / "f");
    file.write(bytes_of("half of the new"));
    return std::raise(SIGKILL);
  });
  CHECK(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == SIGKILL);
  CHECK(read_file(dir / "f") == "old");
  CHECK(files_in(dir.path()) == 2);  // the part file of the dead process
  replace(dir / "f", "new");
  CHECK(read_file(dir / "f") == "new");
}

#endif
