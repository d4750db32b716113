// SPDX-License-Identifier: Apache-2.0

// The choice of kernels is made once per process, so every choice is tried in a child process. No other test of this
// program may call kernels() or this_core().

#include "support/child_process.hpp"
#include "support/expect_error.hpp"
#include "support/kernels.hpp"

#include <cstdlib>

using bitpq::isa;
using namespace bitpq_test;

TEST_CASE("instruction sets have names that read back") {
  for (const isa target : bitpq::all_isas) CHECK(bitpq::parse_isa(bitpq::to_string(target)) == target);
  for (const char* name : {"", "AVX2", "avx", "avx512f", "scalar ", "unknown"}) CHECK_FALSE(bitpq::parse_isa(name));
}

TEMPLATE_TEST_CASE("the scalar kernels are always there and the best come last", "", float, double) {
  const auto usable = bitpq::usable_kernels<TestType>();
  REQUIRE_FALSE(usable.empty());
  CHECK(usable.front()->target == isa::scalar);
  CHECK(usable.front()->lanes == 1);
  for (std::size_t i = 1; i < usable.size(); ++i) {
    CHECK(usable[i - 1]->target < usable[i]->target);
    CHECK(usable[i - 1]->lanes <= usable[i]->lanes);
  }
  for (const auto* table : usable) {
    CHECK(bitpq::supported(table->target));
    CHECK(&bitpq::kernels_for<TestType>(table->target) == table);
  }
  WARN("instruction sets tested here: " << usable_names<TestType>());
}

TEST_CASE("kernels of an absent instruction set are refused, with those that are there") {
#if defined(__aarch64__)
  const isa absent = isa::avx2;
#else
  const isa absent = isa::neon64;
#endif
  CHECK_FALSE(bitpq::supported(absent));
  expect_error(bitpq::errc::unsupported,
               std::string("no ") + bitpq::to_string(absent) + " kernels here; usable: " + usable_names<float>(),
               [&] { bitpq::kernels_for<float>(absent); });
}

#if defined(BITPQ_TEST_HAS_FORK)

namespace {
/// The instruction sets chosen for float and double, or the error, with BITPQ_ISA set so (null: not set).
std::string chosen(const char* forced) {
  return in_child([forced]() -> std::string {
    if (forced == nullptr)
      unsetenv("BITPQ_ISA");
    else
      setenv("BITPQ_ISA", forced, 1);
    try {
      return std::string(bitpq::to_string(bitpq::kernels<float>().target)) + " " +
             bitpq::to_string(bitpq::kernels<double>().target);
    } catch (const bitpq::error& e) {
      return std::string(bitpq::to_string(e.code())) + ": " + e.what();
    }
  });
}
}  // namespace

TEST_CASE("the best kernels are chosen unless BITPQ_ISA forces others") {
  const std::string best = bitpq::to_string(bitpq::usable_kernels<float>().back()->target);
  CHECK(chosen(nullptr) == best + " " + best);
  CHECK(chosen("") == best + " " + best);
  for (const auto* table : bitpq::usable_kernels<float>()) {
    const std::string name = bitpq::to_string(table->target);
    CHECK(chosen(name.c_str()) == name + " " + name);
  }
  CHECK(chosen("sse9") ==
        "bad_params: bitpq: BITPQ_ISA=sse9 names none of scalar, sse2, avx2, avx512, avx512vnni, neon64");
  CHECK(chosen("AVX2") ==
        "bad_params: bitpq: BITPQ_ISA=AVX2 names none of scalar, sse2, avx2, avx512, avx512vnni, neon64");
  for (const isa target : bitpq::all_isas) {
    const std::string name = bitpq::to_string(target);
    bool usable = false;
    for (const auto* table : bitpq::usable_kernels<float>()) usable = usable || table->target == target;
    if (!usable)
      CHECK(chosen(name.c_str()) ==
            "unsupported: bitpq: no " + name + " kernels here; usable: " + usable_names<float>());
  }
}

TEST_CASE("the class of core is this machine's unless BITPQ_CORE names another") {
  const auto of_core = [](const char* forced) {
    return in_child([forced]() -> std::string {
      setenv("BITPQ_CORE", forced, 1);
      try {
        return bitpq::to_string(bitpq::this_core());
      } catch (const bitpq::error& e) {
        return std::string(bitpq::to_string(e.code())) + ": " + e.what();
      }
    });
  };
  CHECK(of_core("narrow") == "narrow");
  CHECK(of_core("wide") == "wide");
  CHECK(of_core("") == bitpq::to_string(bitpq::detail::detect_core()));
  CHECK(of_core("Wide") == "bad_params: bitpq: BITPQ_CORE=Wide names neither narrow nor wide");
}

TEST_CASE("a refused choice can be made good") {
  CHECK(in_child([]() -> std::string {
          setenv("BITPQ_ISA", "nonsense", 1);
          try {
            bitpq::kernels<float>();
          } catch (const bitpq::error&) {
            setenv("BITPQ_ISA", "scalar", 1);
            return bitpq::to_string(bitpq::kernels<float>().target);
          }
          return "no error";
        }) == "scalar");
}

#endif
