// SPDX-License-Identifier: Apache-2.0
#pragma once

// A convolution of one channel with one filter, for depthwise layers, whose outputs share no input that is worth
// packing.

#include <bitpq/kernel/arguments.hpp>
#include <bitpq/kernel/simd.hpp>

namespace bitpq {
inline namespace v1 {

/// For each run, dst[to + i] = sum over t < count of weights[t] * window[taps[t] + from + i], i < length, in whole
/// vectors: up to a vector less one element more is read and written after each run, so runs come in ascending order
/// and both ends have room. An element is one sum in the order of the taps.
template <scalar T, class Arch>
void filter_runs(const T* BITPQ_RESTRICT window, const std::size_t* taps, const T* BITPQ_RESTRICT weights,
                 std::size_t count, const copy_run* runs, std::size_t run_count, T* BITPQ_RESTRICT dst) noexcept {
  using s = simd<T, Arch>;
  constexpr std::size_t tile = 2;  // vectors at a time, to hide the latency of the multiply-add
  for (const copy_run* run = runs; run != runs + run_count; ++run) {
    const T* const from = window + run->from;
    T* const to = dst + run->to;
    std::size_t i = 0;
    for (; i + (tile - 1) * s::size < run->length; i += tile * s::size) {
      typename s::vec sum[tile];
      BITPQ_UNROLL
      for (std::size_t v = 0; v < tile; ++v) sum[v] = s::set(T{0});
      for (std::size_t t = 0; t < count; ++t) {
        const typename s::vec weight = s::set(weights[t]);
        BITPQ_UNROLL
        for (std::size_t v = 0; v < tile; ++v)
          sum[v] = s::fma(weight, s::load(from + taps[t] + i + v * s::size), sum[v]);
      }
      BITPQ_UNROLL
      for (std::size_t v = 0; v < tile; ++v) s::store(to + i + v * s::size, sum[v]);
    }
    for (; i < run->length; i += s::size) {
      typename s::vec sum = s::set(T{0});
      for (std::size_t t = 0; t < count; ++t) sum = s::fma(s::set(weights[t]), s::load(from + taps[t] + i), sum);
      s::store(to + i, sum);
    }
  }
}

}  // namespace v1
}  // namespace bitpq
