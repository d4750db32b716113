// SPDX-License-Identifier: Apache-2.0
#pragma once

// The one place that includes xsimd. Kernels are templates over an architecture tag and speak to vectors through
// simd<T, Arch>; the tag scalar_arch runs the very same kernels one element at a time, which is the oracle of the rest.

#include <bitpq/core/concepts.hpp>
#include <bitpq/kernel/isa.hpp>

#include <xsimd/xsimd.hpp>

namespace bitpq {
inline namespace v1 {

struct scalar_arch {};
/// xsimd knows no tag for VBMI and VNNI. Vectors are those of avx512bw; kernels with instructions of their own
/// specialise.
struct avx512vnni_arch {};

/// Tag of an instruction set: xsimd's architecture, or scalar_arch.
template <isa Target>
struct arch_of;
template <>
struct arch_of<isa::scalar> {
  using type = scalar_arch;
};
template <>
struct arch_of<isa::sse2> {
  using type = xsimd::sse2;
};
template <>
struct arch_of<isa::avx2> {
  using type = xsimd::fma3<xsimd::avx2>;
};
template <>
struct arch_of<isa::avx512> {
  using type = xsimd::avx512bw;
};
template <>
struct arch_of<isa::avx512vnni> {
  using type = avx512vnni_arch;
};
template <>
struct arch_of<isa::neon64> {
  using type = xsimd::neon64;
};

/// Vectors of T on one architecture. All functions compile to one or two instructions.
template <scalar T, class Arch>
struct simd {
  using element = T;
  using vec = xsimd::batch<T, Arch>;
  using mask = typename vec::batch_bool_type;
  static constexpr std::size_t size = vec::size;

  static BITPQ_FORCE_INLINE vec load(const T* p) noexcept { return vec::load_unaligned(p); }
  static BITPQ_FORCE_INLINE void store(T* p, const vec& v) noexcept { v.store_unaligned(p); }
  static BITPQ_FORCE_INLINE vec set(T v) noexcept { return vec(v); }
  static BITPQ_FORCE_INLINE vec add(const vec& a, const vec& b) noexcept { return a + b; }
  static BITPQ_FORCE_INLINE vec sub(const vec& a, const vec& b) noexcept { return a - b; }
  static BITPQ_FORCE_INLINE vec mul(const vec& a, const vec& b) noexcept { return a * b; }
  /// a * b + c. xsimd leaves vectors of 64 bytes to compilers to fuse, and not all do; narrower ones, which must return
  /// the same bits, are fused.
  static BITPQ_FORCE_INLINE vec fma(const vec& a, const vec& b, const vec& c) noexcept {
#if defined(__AVX512F__)
    if constexpr (std::is_same_v<typename vec::register_type, __m512>)
      return _mm512_fmadd_ps(a, b, c);
    else if constexpr (std::is_same_v<typename vec::register_type, __m512d>)
      return _mm512_fmadd_pd(a, b, c);
    else
#endif
      return xsimd::fma(a, b, c);
  }
  /// c - a * b
  static BITPQ_FORCE_INLINE vec fnma(const vec& a, const vec& b, const vec& c) noexcept {
#if defined(__AVX512F__)
    if constexpr (std::is_same_v<typename vec::register_type, __m512>)
      return _mm512_fnmadd_ps(a, b, c);
    else if constexpr (std::is_same_v<typename vec::register_type, __m512d>)
      return _mm512_fnmadd_pd(a, b, c);
    else
#endif
      return xsimd::fnma(a, b, c);
  }
  static BITPQ_FORCE_INLINE mask less(const vec& a, const vec& b) noexcept { return a < b; }
  static BITPQ_FORCE_INLINE vec select(const mask& m, const vec& a, const vec& b) noexcept {
    return xsimd::select(m, a, b);
  }
  static BITPQ_FORCE_INLINE T sum(const vec& v) noexcept {
    T lanes[size];
    store(lanes, v);
    for (std::size_t half = size / 2; half > 0; half /= 2)
      for (std::size_t i = 0; i < half; ++i) lanes[i] += lanes[i + half];
    return lanes[0];
  }
};

template <scalar T>
struct simd<T, scalar_arch> {
  using element = T;
  using vec = T;
  using mask = bool;
  static constexpr std::size_t size = 1;

  static BITPQ_FORCE_INLINE vec load(const T* p) noexcept { return *p; }
  static BITPQ_FORCE_INLINE void store(T* p, vec v) noexcept { *p = v; }
  static BITPQ_FORCE_INLINE vec set(T v) noexcept { return v; }
  static BITPQ_FORCE_INLINE vec add(vec a, vec b) noexcept { return a + b; }
  static BITPQ_FORCE_INLINE vec sub(vec a, vec b) noexcept { return a - b; }
  static BITPQ_FORCE_INLINE vec mul(vec a, vec b) noexcept { return a * b; }
  static BITPQ_FORCE_INLINE vec fma(vec a, vec b, vec c) noexcept {
#if defined(__FP_FAST_FMA) && defined(__FP_FAST_FMAF)
    // Left to itself the compiler fuses in one kernel and not in its neighbour, which must return the same bits.
    if constexpr (sizeof(T) == 4)
      return __builtin_fmaf(a, b, c);
    else
      return __builtin_fma(a, b, c);
#else
    return a * b + c;
#endif
  }
  static BITPQ_FORCE_INLINE vec fnma(vec a, vec b, vec c) noexcept { return c - a * b; }
  static BITPQ_FORCE_INLINE mask less(vec a, vec b) noexcept { return a < b; }
  static BITPQ_FORCE_INLINE vec select(mask m, vec a, vec b) noexcept { return m ? a : b; }
  static BITPQ_FORCE_INLINE T sum(vec v) noexcept { return v; }
};

template <scalar T>
struct simd<T, avx512vnni_arch> : simd<T, arch_of<isa::avx512>::type> {};

/// Vectors of four floats on a machine whose own are wider.
struct narrow_x86_arch {};
/// The same for kernels that are not inlined: compiled once for each Arch, with its flags.
template <class Arch>
struct four_lanes_of {};
#if defined(__FMA__)
template <>
struct simd<float, narrow_x86_arch> : simd<float, arch_of<isa::sse2>::type> {
  static BITPQ_FORCE_INLINE vec fma(const vec& a, const vec& b, const vec& c) noexcept { return _mm_fmadd_ps(a, b, c); }
  static BITPQ_FORCE_INLINE vec fnma(const vec& a, const vec& b, const vec& c) noexcept {
    return _mm_fnmadd_ps(a, b, c);
  }
};
template <class Arch>
struct simd<float, four_lanes_of<Arch>> : simd<float, narrow_x86_arch> {};
#endif

namespace detail {

/// The architecture whose vectors have `Width` elements of T.
template <scalar T, class Arch, std::size_t Width>
struct narrowed {
  using type = Arch;
  static_assert(Width == simd<T, Arch>::size);
};
template <scalar T, class Arch, std::size_t Width>
requires(Width < simd<T, Arch>::size) struct narrowed<T, Arch, Width> {
  using type = std::conditional_t<Width == 1, scalar_arch,
                                  std::conditional_t<Width == 8, arch_of<isa::avx2>::type, narrow_x86_arch>>;
};
template <scalar T>
struct narrowed<T, arch_of<isa::sse2>::type, 1> {
  using type = scalar_arch;
};
template <scalar T>
struct narrowed<T, arch_of<isa::neon64>::type, 1> {
  using type = scalar_arch;
};

/// Whether vectors narrower than the widest are used: for floats. Doubles are padded.
template <scalar T>
inline constexpr bool narrows = std::is_same_v<T, float>;

}  // namespace detail

/// Stops compilers from turning a loop of a few vector copies into a call of memmove.
BITPQ_FORCE_INLINE void keep_loop() noexcept {
#if defined(__GNUC__)
  __asm__ volatile("" ::: "memory");
#endif
}

/// Stops compilers from reading memory again for each use of a vector that was loaded once.
template <class Vec>
BITPQ_FORCE_INLINE void keep_in_register([[maybe_unused]] Vec& v) noexcept {
#if defined(__GNUC__) && (defined(__x86_64__) || defined(__i386__))
  if constexpr (requires { v.data; }) __asm__("" : "+v"(v.data));
#elif defined(__GNUC__) && defined(__aarch64__)
  if constexpr (requires { v.data; }) __asm__("" : "+w"(v.data));
#endif
}

/// Hints that the line of p will be read, or written.
BITPQ_FORCE_INLINE void prefetch([[maybe_unused]] const void* p) noexcept {
#if defined(__GNUC__)
  __builtin_prefetch(p, 0);
#endif
}
BITPQ_FORCE_INLINE void prefetch_for_write([[maybe_unused]] void* p) noexcept {
#if defined(__GNUC__)
  __builtin_prefetch(p, 1);
#endif
}

/// Hints that the line of p will be read later: to the second-level cache.
BITPQ_FORCE_INLINE void prefetch_later([[maybe_unused]] const void* p) noexcept {
#if defined(__GNUC__)
  __builtin_prefetch(p, 0, 2);
#endif
}

/// Registers of a micro-kernel: `rows` x `vectors` accumulators, `vectors` of the right operand, one broadcast. A row
/// takes a pointer too, which is why there are few of them.
template <class Arch>
struct register_tile {
  static constexpr std::size_t vectors = 2;
  static constexpr std::size_t rows = 4;  // 8 + 2 + 1 of 16 registers; SSE2 needs one more for each product
};
template <>
struct register_tile<arch_of<isa::avx2>::type> {
  static constexpr std::size_t vectors = 2;
  static constexpr std::size_t rows = 6;  // 12 + 2 + 1 of 16
};
template <>
struct register_tile<arch_of<isa::avx512>::type> {
  static constexpr std::size_t vectors = 4;
  static constexpr std::size_t rows = 6;  // 24 + 4 + 1 of 32
};
template <>
struct register_tile<avx512vnni_arch> : register_tile<arch_of<isa::avx512>::type> {};
template <class Arch>
struct register_tile<four_lanes_of<Arch>> {
  static constexpr std::size_t vectors = 1;
  static constexpr std::size_t rows = 8;  // as many as hide what a multiply-add takes
};
template <>
struct register_tile<arch_of<isa::neon64>::type> {
  static constexpr std::size_t vectors = 4;
  static constexpr std::size_t rows = 6;  // 24 + 4 + 1 of 32
};

/// Columns of a panel of the right operand.
template <scalar T, class Arch>
inline constexpr std::size_t panel_width = register_tile<Arch>::vectors* simd<T, Arch>::size;

/// Columns of a look-up table, at most: those of a panel, so that building loads little of the input per multiply-add.
template <scalar T, class Arch>
inline constexpr std::size_t lut_width = panel_width<T, Arch>;

}  // namespace v1
}  // namespace bitpq
