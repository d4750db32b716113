// SPDX-License-Identifier: Apache-2.0

// main() of every benchmark executable. It adds to Google Benchmark's context what a reader needs in order to trust
// a number: the commit (passed by the caller, which knows it at run time and not at configure time), the compiler,
// the instruction set the kernels run with (BITPQ_ISA forces one) and the number of hardware threads.

#include <benchmark/benchmark.h>
#include <bitpq/kernel/dispatch.hpp>

#include <cstdlib>
#include <string>
#include <thread>

namespace {

std::string environment(const char* name, const char* otherwise) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0' ? value : otherwise;
}

std::string compiler() {
#if defined(__clang__)
  return "clang " __clang_version__;
#elif defined(__GNUC__)
  return "g++ " __VERSION__;
#else
  return "unknown";
#endif
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) {
    return 2;
  }
  benchmark::AddCustomContext("commit", environment("BITPQ_COMMIT", "unknown"));
  benchmark::AddCustomContext("compiler", compiler());
  benchmark::AddCustomContext("isa", bitpq::to_string(bitpq::kernels<float>().target));
  benchmark::AddCustomContext("threads", std::to_string(std::thread::hardware_concurrency()));
  const auto ran = benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return ran == 0 ? 1 : 0;
}
