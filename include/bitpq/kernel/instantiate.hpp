// SPDX-License-Identifier: Apache-2.0
#pragma once

// Fills a kernel table for one instruction set: included by a program that uses what its own flags allow, and by the
// generated per-ISA translation units of bitpq_add_dispatch, which include nothing else.

#include <bitpq/kernel/accumulate.hpp>
#include <bitpq/kernel/assign.hpp>
#include <bitpq/kernel/block_gradient.hpp>
#include <bitpq/kernel/filter.hpp>
#include <bitpq/kernel/gemm_tile.hpp>
#include <bitpq/kernel/gemv.hpp>
#include <bitpq/kernel/gemv_lookup.hpp>
#include <bitpq/kernel/int8_pack.hpp>
#include <bitpq/kernel/int8_tile.hpp>
#include <bitpq/kernel/lut.hpp>
#include <bitpq/kernel/pack.hpp>
#include <bitpq/kernel/potential.hpp>
#include <bitpq/kernel/store.hpp>
#include <bitpq/kernel/table.hpp>
#include <bitpq/kernel/winograd.hpp>
#include <bitpq/kernel/winograd_strips.hpp>

namespace bitpq {
inline namespace v1 {
namespace detail {

template <scalar T, class Arch, class Code>
constexpr code_kernels<T, Code> make_code_kernels() noexcept {
  code_kernels<T, Code> kernels{&code_panel<T, Arch, Code>, &code_traffic<T, Arch, Code>, &lut_step<T, Arch, Code>,
                                &dot_rows<T, Arch, Code>, nullptr};
  if constexpr (has_strips<T, Arch>) kernels.multiply_strip = &multiply_strip<T, Arch, Code>;
  return kernels;
}

template <class Arch>
constexpr int8_kernels make_int8_kernels() noexcept {
  return {int8_vectors<Arch>::group,
          int8_vectors<Arch>::subtrahend,
          &int8_range_of<Arch>,
          &int8_column_ranges<Arch>,
          &int8_quantize_runs<Arch>,
          &int8_quantize_rows<Arch>,
          &int8_copy_runs<Arch>,
          &int8_pack<Arch>,
          &int8_panel<Arch, std::uint8_t>,
          &int8_panel<Arch, std::uint16_t>,
          &int8_sparse<Arch>,
          &int8_dequantize<Arch>};
}

template <std::size_t Tile, std::size_t Stride, scalar T, class Arch>
constexpr winograd_kernels<T> make_winograd_kernels() noexcept {
  return {Tile, Stride, &winograd_filter<Tile, Stride, T, Arch>, &winograd_input<Tile, Stride, T, Arch>,
          &winograd_output<Tile, Stride, T, Arch>};
}

template <scalar T, class Arch>
constexpr strip_kernels<T> make_strip_kernels() noexcept {
  if constexpr (has_strips<T, Arch>)
    return {&strip_filters<T, Arch>, &strip_inputs<T, Arch>, &strip_outputs<T, Arch>};
  else
    return {};
}

/// Static storage, constant initialised: no code of the instruction set runs before a kernel is called.
template <scalar T, isa Target, class Arch = typename arch_of<Target>::type>
inline constexpr kernel_table<T> table_of{
    Target,
    simd<T, Arch>::size,
    panel_width<T, Arch>,
    lut_width<T, Arch>,
    detail::lane_sums<T, Arch>::quick,
    &gemm_panel<T, Arch>,
    &gemm_traffic<T, Arch>,
    &gather_runs<T, Arch>,
    &copy_runs<T, Arch>,
    &filter_runs<T, Arch>,
    &pack_rows<T, Arch>,
    &store_rows<T, Arch>,
    &nearest<T, Arch>,
    &nearest_scratch<T, Arch>,
    &add_to_clusters<T, Arch>,
    &lower_potentials<T, Arch>,
    &add_block_gradient<T, Arch>,
    {{make_winograd_kernels<2, 1, T, Arch>(), make_winograd_kernels<2, 2, T, Arch>()},
     {make_winograd_kernels<4, 1, T, Arch>(), make_winograd_kernels<4, 2, T, Arch>()}},
    make_strip_kernels<T, Arch>(),
    &name_entries<Arch>,
    make_code_kernels<T, Arch, std::uint8_t>(),
    make_code_kernels<T, Arch, std::uint16_t>(),
    make_lookup_kernels<T, Arch>(),
    make_int8_kernels<Arch>(),
};

template <scalar T, isa Target>
const kernel_table<T>& built_table() noexcept {
  return table_of<T, Target>;
}

}  // namespace detail
}  // namespace v1
}  // namespace bitpq
