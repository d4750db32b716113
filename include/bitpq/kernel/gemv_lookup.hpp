// SPDX-License-Identifier: Apache-2.0
#pragma once

// Which look-up kernels an instruction set has. Those without a byte shuffle have none: they decode.

#include <bitpq/kernel/gemv_avx2.hpp>
#include <bitpq/kernel/gemv_avx512.hpp>
#include <bitpq/kernel/gemv_neon.hpp>
#include <bitpq/kernel/gemv_vbmi.hpp>

namespace bitpq {
inline namespace v1 {
namespace detail {

template <scalar T, class Arch>
struct lookups {
  static constexpr lookup_kernels<T> table() noexcept { return {}; }
};

template <>
struct lookups<float, scalar_arch> {
  static constexpr lookup_kernels<float> table() noexcept {
    using arch = scalar_arch;
    return {
        256, 256, &build_float_tables<arch>, &add_floats<arch>, &build_lut16_planes<arch>, &add_lut16_entries<arch>};
  }
};

/// 16 entries by byte shuffles, in either precision.
template <class Arch, class Bytes>
constexpr lookup_kernels<float> shuffled_lookups() noexcept {
  return {16,
          16,
          &build_float_planes<Arch>,
          &shuffled_tables<Bytes>::add_exact,
          &build_lut16_planes<Arch>,
          &shuffled_tables<Bytes>::add_lut16};
}

#if defined(__AVX2__)
template <>
struct lookups<float, arch_of<isa::avx2>::type> {
  static constexpr lookup_kernels<float> table() noexcept {
    using arch = arch_of<isa::avx2>::type;
    return shuffled_lookups<arch, avx2_bytes<arch>>();
  }
};
#endif

#if defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__)
template <>
struct lookups<float, arch_of<isa::avx512>::type> {
  static constexpr lookup_kernels<float> table() noexcept {
    using arch = arch_of<isa::avx512>::type;
    return {32,
            16,
            &build_float_tables<arch>,
            &avx512_add_exact<arch>,
            &build_lut16_planes<arch>,
            &shuffled_tables<avx512_bytes<arch>>::add_lut16};
  }
};
#endif

#if defined(__AVX512VBMI__) && defined(__AVX512VNNI__) && defined(__AVX512BW__)
template <>
struct lookups<float, avx512vnni_arch> {
  static constexpr lookup_kernels<float> table() noexcept {
    using arch = avx512vnni_arch;
    return {256, 256, &vbmi_build_exact<arch>, &vbmi_add_exact<arch>, &vbmi_build_lut16<arch>, &vbmi_add_lut16<arch>};
  }
};
#endif

#if defined(__aarch64__)
template <>
struct lookups<float, arch_of<isa::neon64>::type> {
  static constexpr lookup_kernels<float> table() noexcept {
    using arch = arch_of<isa::neon64>::type;
    return shuffled_lookups<arch, neon_bytes<arch>>();
  }
};
#endif

template <scalar T, class Arch>
constexpr lookup_kernels<T> make_lookup_kernels() noexcept {
  return lookups<T, Arch>::table();
}

}  // namespace detail
}  // namespace v1
}  // namespace bitpq
