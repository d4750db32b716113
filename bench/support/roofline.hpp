// SPDX-License-Identifier: Apache-2.0
#pragma once

// The two roofs of one core, measured: multiply-adds of registers alone, and reads of memory beyond the caches, both
// with vectors of the width that the kernels in use have. Shares are taken of these.
//
// The multiply-adds of a compressed layer are counted as those of the dense layer that it stands for. A share may
// exceed 1: look-up tables get by with fewer, which is what they are for. No dense product can exceed it.

#include <bitpq/core/aligned_buffer.hpp>
#include <bitpq/kernel/dispatch.hpp>

#include "support/interleaved.hpp"

#include <unistd.h>

namespace bench {

struct roofline {
  double flops;      ///< per second; a multiply-add is two
  double bandwidth;  ///< bytes read per second
};

/// Bytes of the last cache that this core uses; 32 MB where the system does not say.
inline std::size_t last_cache_size() {
#if defined(_SC_LEVEL3_CACHE_SIZE)
  const long size = sysconf(_SC_LEVEL3_CACHE_SIZE);
  if (size > 0) return static_cast<std::size_t>(size);
#endif
  return std::size_t{32} << 20;
}

namespace detail {

// Vectors by the compiler's own extension: one text for all widths, and intrinsics stay in the library's kernels.
template <std::size_t Bytes>
struct vector_of {
  typedef float type __attribute__((vector_size(Bytes)));  // NOLINT(modernize-use-using): the attribute needs it
};

/// Enough independent sums to hide the latency of a multiply-add at two a cycle.
template <std::size_t Bytes>
[[gnu::always_inline]] inline float multiply_adds(std::size_t steps) {
  using vector = typename vector_of<Bytes>::type;
  const vector factor = vector{} + 0.999F, term = vector{} + 1e-3F;
  vector sums[12];
  for (std::size_t i = 0; i < 12; ++i)
    sums[i] = vector{} + static_cast<float>(i);  // unlike: none is computed once for all
  for (std::size_t i = 0; i < steps; ++i)
    for (vector& s : sums) s = s * factor + term;
  for (const vector& s : sums) sums[0] += s;
  return sums[0][0];
}

template <std::size_t Bytes>
[[gnu::always_inline]] inline float read_all(const float* values, std::size_t n) {
  using vector = typename vector_of<Bytes>::type;
  constexpr std::size_t lanes = Bytes / sizeof(float);
  const auto* const v = reinterpret_cast<const vector*>(values);
  vector sums[8] = {};
  for (std::size_t i = 0; i + 8 <= n / lanes; i += 8)
    for (std::size_t j = 0; j < 8; ++j) sums[j] += v[i + j];
  for (const vector& s : sums) sums[0] += s;
  return sums[0][0];
}

#if defined(__x86_64__)
#define BENCH_WITH_AVX2 __attribute__((target("avx2,fma")))
#define BENCH_WITH_AVX512 __attribute__((target("avx512f")))
BENCH_WITH_AVX2 inline float multiply_adds_avx2(std::size_t steps) { return multiply_adds<32>(steps); }
BENCH_WITH_AVX2 inline float read_all_avx2(const float* values, std::size_t n) { return read_all<32>(values, n); }
BENCH_WITH_AVX512 inline float multiply_adds_avx512(std::size_t steps) { return multiply_adds<64>(steps); }
BENCH_WITH_AVX512 inline float read_all_avx512(const float* values, std::size_t n) { return read_all<64>(values, n); }
#undef BENCH_WITH_AVX2
#undef BENCH_WITH_AVX512
#endif
inline float multiply_adds_narrow(std::size_t steps) { return multiply_adds<16>(steps); }
inline float read_all_narrow(const float* values, std::size_t n) { return read_all<16>(values, n); }

inline roofline measure_roofline() {
  const std::size_t lanes = bitpq::kernels<float>().lanes;
  auto* compute = multiply_adds_narrow;
  auto* read = read_all_narrow;
  std::size_t width = 4;
#if defined(__x86_64__)
  if (lanes == 8) width = 8, compute = multiply_adds_avx2, read = read_all_avx2;
  if (lanes == 16) width = 16, compute = multiply_adds_avx512, read = read_all_avx512;
#endif
  static_cast<void>(lanes);
  volatile float sink = 0;
  constexpr std::size_t steps = 1 << 20;
  const bitpq::aligned_buffer<float> values(last_cache_size());  // four times the cache
  const double computing = quick_look([&] { sink = compute(steps); });
  const double reading = quick_look([&] { sink = read(values.data(), values.size()); });
  static_cast<void>(sink);
  return {2.0 * 12 * static_cast<double>(steps * width) / computing,
          static_cast<double>(values.size() * sizeof(float)) / reading};
}

}  // namespace detail

/// Measured at the first call, which takes a fraction of a second.
inline const roofline& roofs() {
  static const roofline measured = detail::measure_roofline();
  return measured;
}

}  // namespace bench
