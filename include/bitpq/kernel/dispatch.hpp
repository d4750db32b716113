// SPDX-License-Identifier: Apache-2.0
#pragma once

// Which kernels run. A program built without further ado gets those its own compiler flags allow. One whose target was
// given to CMake's bitpq_add_dispatch carries a table per instruction set and takes the best the machine has. Either
// way the environment variable BITPQ_ISA forces one, for tests and benchmarks.

#include <bitpq/kernel/table.hpp>

#include <cstdlib>
#include <string>
#include <vector>

// bitpq_add_dispatch defines BITPQ_DISPATCH and one BITPQ_DISPATCH_<ISA> for each table that it links.
#if !defined(BITPQ_DISPATCH)
#include <bitpq/kernel/instantiate.hpp>
#endif

namespace bitpq {
inline namespace v1 {
namespace detail {

/// The tables in this program, in the order of preference, the best last, whether or not the machine can run them.
template <scalar T>
std::vector<const kernel_table<T>*> built_tables() {
  std::vector<const kernel_table<T>*> tables{&built_table<T, isa::scalar>()};
#if defined(BITPQ_DISPATCH) ? defined(BITPQ_DISPATCH_SSE2) : defined(__SSE2__)
  tables.push_back(&built_table<T, isa::sse2>());
#endif
#if defined(BITPQ_DISPATCH) ? defined(BITPQ_DISPATCH_AVX2) : (defined(__AVX2__) && defined(__FMA__))
  tables.push_back(&built_table<T, isa::avx2>());
#endif
#if defined(BITPQ_DISPATCH) ? defined(BITPQ_DISPATCH_AVX512) \
                            : (defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__))
  tables.push_back(&built_table<T, isa::avx512>());
#endif
#if defined(BITPQ_DISPATCH) ? defined(BITPQ_DISPATCH_AVX512VNNI) \
                            : (defined(__AVX512VNNI__) && defined(__AVX512VBMI__) && defined(__AVX512BW__))
  tables.push_back(&built_table<T, isa::avx512vnni>());
#endif
#if defined(BITPQ_DISPATCH) ? defined(BITPQ_DISPATCH_NEON64) : defined(__aarch64__)
  tables.push_back(&built_table<T, isa::neon64>());
#endif
  return tables;
}

}  // namespace detail

/// The kernels this program carries and this machine can run, the best last; the scalar ones are always among them.
template <scalar T>
std::vector<const kernel_table<T>*> usable_kernels() {
  std::vector<const kernel_table<T>*> usable;
  for (const kernel_table<T>* table : detail::built_tables<T>())
    if (supported(table->target)) usable.push_back(table);
  return usable;
}

/// The kernels of one instruction set. Throws unsupported, naming the usable ones, when it is not among them.
template <scalar T>
const kernel_table<T>& kernels_for(isa target) {
  std::string names;
  for (const kernel_table<T>* table : usable_kernels<T>()) {
    if (table->target == target) return *table;
    names += std::string(names.empty() ? "" : ", ") + to_string(table->target);
  }
  fail(errc::unsupported, "no ", to_string(target), " kernels here; usable: ", names);
}

/// The kernels in use: the best usable ones, or those BITPQ_ISA names. Chosen at the first call. Throws bad_params
/// when BITPQ_ISA names no instruction set, unsupported when it names one that is not usable.
template <scalar T>
const kernel_table<T>& kernels() {
  static const kernel_table<T>& chosen = []() -> const kernel_table<T>& {
    const char* const forced = std::getenv("BITPQ_ISA");
    if (forced == nullptr || *forced == '\0') return *usable_kernels<T>().back();
    const std::optional<isa> target = parse_isa(forced);
    require(target.has_value(), errc::bad_params, "BITPQ_ISA=", forced,
            " names none of scalar, sse2, avx2, avx512, avx512vnni, neon64");
    return kernels_for<T>(*target);
  }();
  return chosen;
}

}  // namespace v1
}  // namespace bitpq
