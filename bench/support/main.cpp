// SPDX-License-Identifier: Apache-2.0

// main() of every benchmark executable. It holds the process to BENCH_THREADS cores (one, where the suite does not say
// otherwise) and adds to Google Benchmark's context what a
// reader needs in order to trust a number: the commit (passed by the caller, which knows it at run time and not at
// configure time), the compiler, the instruction set the kernels run with (BITPQ_ISA forces one) and the roofs.

#include "support/roofline.hpp"

#include <benchmark/benchmark.h>

#include <cstdlib>
#include <string>
#include <string_view>

#if defined(__linux__)
#include <sched.h>
#endif

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

/// Stays on the last cores it may use: interrupts and other programs favour the first. Returns their numbers; none
/// where the system would not hold it there.
std::string pin_to_cores(int wanted) {
  std::string cores;
#if defined(__linux__)
  cpu_set_t allowed, chosen;
  if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) return "none";
  CPU_ZERO(&chosen);
  for (int core = CPU_SETSIZE - 1; core >= 0 && wanted > 0; --core) {
    if (!CPU_ISSET(static_cast<std::size_t>(core), &allowed)) continue;
    CPU_SET(static_cast<std::size_t>(core), &chosen);
    cores += (cores.empty() ? "" : " ") + std::to_string(core);
    --wanted;
  }
  if (sched_setaffinity(0, sizeof(chosen), &chosen) == 0) return cores;
#endif
  return "none";
}

void add_context() {
  const auto in_billions = [](double value) { return std::to_string(value / 1e9); };
  benchmark::AddCustomContext("cores", pin_to_cores(BENCH_THREADS));
  benchmark::AddCustomContext("threads", std::to_string(BENCH_THREADS));
  benchmark::AddCustomContext("commit", environment("BITPQ_COMMIT", "unknown"));
  benchmark::AddCustomContext("compiler", compiler());
  benchmark::AddCustomContext("isa", bitpq::to_string(bitpq::kernels<float>().target));
  benchmark::AddCustomContext("core", bitpq::to_string(bitpq::this_core()));
  benchmark::AddCustomContext("roof_gflops", in_billions(bench::roofs().flops));
  benchmark::AddCustomContext("roof_gbytes_per_second", in_billions(bench::roofs().bandwidth));
}

/// Leaves out of a row's name what Google Benchmark adds to it about how the row was sampled.
template <class Reporter>
class plain_names : public Reporter {
 public:
  using Reporter::Reporter;
  void ReportRuns(const std::vector<benchmark::BenchmarkReporter::Run>& runs) override {
    std::vector<benchmark::BenchmarkReporter::Run> plain = runs;
    for (auto& run : plain) {
      run.run_name.iterations.clear();
      run.run_name.time_type.clear();
    }
    Reporter::ReportRuns(plain);
  }
};

bool writes_a_file(int argc, char** argv) {
  for (int i = 1; i < argc; ++i)
    if (std::string_view(argv[i]).starts_with("--benchmark_out=")) return true;
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  const bool to_file = writes_a_file(argc, argv);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) {
    return 2;
  }
  add_context();
  plain_names<benchmark::ConsoleReporter> console(benchmark::ConsoleReporter::OO_None);
  plain_names<benchmark::JSONReporter> file;
  const auto ran = benchmark::RunSpecifiedBenchmarks(&console, to_file ? &file : nullptr);
  benchmark::Shutdown();
  return ran == 0 ? 1 : 0;
}
