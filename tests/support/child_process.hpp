// SPDX-License-Identifier: Apache-2.0
#pragma once

// Runs a function in a child process: for what is settled once per process, such as the choice of kernels.

#include <string>

#if __has_include(<sys/wait.h>)
#define BITPQ_TEST_HAS_FORK 1
#include <sys/wait.h>
#include <unistd.h>
#endif

namespace bitpq_test {

#if defined(BITPQ_TEST_HAS_FORK)
/// What `f` returns, a string, when called in a child process; "child failed" when it did not come to that.
template <class F>
std::string in_child(F&& f) {
  int ends[2];
  if (pipe(ends) != 0) return "no pipe";
  const pid_t child = fork();
  if (child < 0) return "no child";
  if (child == 0) {
    const std::string text = f();
    const bool written = write(ends[1], text.data(), text.size()) == static_cast<ssize_t>(text.size());
    _exit(written ? 0 : 1);  // without the parent's static destructors
  }
  close(ends[1]);
  std::string text;
  char buffer[256];
  for (ssize_t n = read(ends[0], buffer, sizeof buffer); n > 0; n = read(ends[0], buffer, sizeof buffer))
    text.append(buffer, static_cast<std::size_t>(n));
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? text : "child failed";
}
#endif

}  // namespace bitpq_test
