// SPDX-License-Identifier: Apache-2.0
#pragma once

// The instruction sets that kernels are written for, which of them this machine can run, and what cores make of them.

#include <bitpq/core/error.hpp>

#include <array>
#include <cstdlib>
#include <optional>
#include <string_view>

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif

namespace bitpq {
inline namespace v1 {

/// In the order of preference, the best last. avx2 includes FMA; avx512 means F, BW, DQ and VL; avx512vnni
/// means these and VBMI (byte permutations across a register) and VNNI (8-bit dot products).
enum class isa { scalar, sse2, avx2, avx512, avx512vnni, neon64 };

inline constexpr std::array all_isas{isa::scalar, isa::sse2, isa::avx2, isa::avx512, isa::avx512vnni, isa::neon64};

constexpr const char* to_string(isa target) noexcept {
  switch (target) {
    case isa::scalar: return "scalar";
    case isa::sse2: return "sse2";
    case isa::avx2: return "avx2";
    case isa::avx512: return "avx512";
    case isa::avx512vnni: return "avx512vnni";
    case isa::neon64: return "neon64";
  }
  return "unknown";
}

constexpr std::optional<isa> parse_isa(std::string_view name) noexcept {
  for (const isa target : all_isas)
    if (name == to_string(target)) return target;
  return std::nullopt;
}

namespace detail {
#if defined(__x86_64__) || defined(__i386__)
/// What the processor has AND the operating system saves on a context switch: the second half (XGETBV) decides
/// whether the wide registers may be touched at all.
inline bool x86_supports(isa target) noexcept {
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid(1, &a, &b, &c, &d) == 0) return false;
  if (target == isa::sse2) return (d & bit_SSE2) != 0;
  if ((c & bit_OSXSAVE) == 0 || (c & bit_AVX) == 0) return false;
  unsigned low = 0, high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  const bool fma = (c & bit_FMA) != 0;
  const unsigned ymm_state = 0x6, zmm_state = 0xE6;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return false;
  const bool avx2 = (b & bit_AVX2) != 0 && fma && (low & ymm_state) == ymm_state;
  if (target == isa::avx2) return avx2;
  const unsigned needed = bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL;
  const bool avx512 = avx2 && (b & needed) == needed && (low & zmm_state) == zmm_state;
  if (target == isa::avx512) return avx512;
  return avx512 && (c & bit_AVX512VBMI) != 0 && (c & bit_AVX512VNNI) != 0;
}
#endif
}  // namespace detail

/// Whether this machine can run kernels of that instruction set.
inline bool supported(isa target) noexcept {
  if (target == isa::scalar) return true;
#if defined(__x86_64__) || defined(__i386__)
  return target != isa::neon64 && detail::x86_supports(target);
#elif defined(__aarch64__)
  return target == isa::neon64;  // part of the architecture's baseline
#else
  return false;
#endif
}

/// What a core does of 512 bits per cycle: one multiply-add and one load (`narrow`: Zen 4), or two of each (`wide`: Zen
/// 5, servers of Intel's). The instruction set does not show it, but which path is the fastest depends on it.
enum class core_class { narrow, wide };

constexpr const char* to_string(core_class c) noexcept { return c == core_class::wide ? "wide" : "narrow"; }

namespace detail {
/// Processors of AMD's tell (leaf 8000001A: FP512); others with AVX-512 are taken to be wide.
inline core_class detect_core() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (!supported(isa::avx512) || __get_cpuid(0, &a, &b, &c, &d) == 0) return core_class::narrow;
  if (b != signature_AMD_ebx || c != signature_AMD_ecx || d != signature_AMD_edx) return core_class::wide;
  constexpr unsigned fp512 = 1U << 3;
  return __get_cpuid(0x8000001A, &a, &b, &c, &d) != 0 && (a & fp512) != 0 ? core_class::wide : core_class::narrow;
#else
  return core_class::narrow;
#endif
}
}  // namespace detail

/// This machine's, or what the environment variable BITPQ_CORE names, so that another machine's plans, and with them
/// its bits, can be had here. Found out at the first call. Throws bad_params when BITPQ_CORE names neither.
inline core_class this_core() {
  static const core_class chosen = [] {
    const char* const forced = std::getenv("BITPQ_CORE");
    if (forced == nullptr || *forced == '\0') return detail::detect_core();
    for (const core_class c : {core_class::narrow, core_class::wide})
      if (std::string_view(forced) == to_string(c)) return c;
    fail(errc::bad_params, "BITPQ_CORE=", forced, " names neither narrow nor wide");
  }();
  return chosen;
}

}  // namespace v1
}  // namespace bitpq
