// SPDX-License-Identifier: Apache-2.0
#pragma once

// The costs of the machine at hand, measured. Plans are good without; a host that runs on a processor unlike those the
// constants were measured on, or wants the last few percent, calibrates once and keeps the result.

#include <bitpq/gemm/conv2d.hpp>
#include <bitpq/gemm/gemm.hpp>

#include <chrono>
#include <cmath>
#include <functional>

namespace bitpq {
inline namespace v1 {
namespace detail {

/// A layer whose codes run through all codewords.
template <scalar T>
prepacked_matrix<T> calibration_layer(const code_format& format, const kernel_table<T>& kernels) {
  std::vector<T> words(format.codewords * format.block_size);
  for (std::size_t i = 0; i < words.size(); ++i) words[i] = static_cast<T>(i % 7) - T{3};
  std::vector<std::uint16_t> codes(format.codes());
  for (std::size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<std::uint16_t>(i * 37 % format.codewords);
  return prepacked_matrix<T>(
      pq_matrix<T>(format.rows, format.cols, codebook<T>(words, 1, format.codewords, format.block_size),
                   packed_codes(format.code_bits(), codes)),
      kernels, precision::int8);
}

/// Seconds of the fastest of a few calls.
template <class F>
double fastest(const F& f) {
  double best = std::numeric_limits<double>::infinity();
  f();
  for (int i = 0; i < 7; ++i) {
    const auto start = std::chrono::steady_clock::now();
    f();
    best = (std::min)(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return best;
}

}  // namespace detail

/// The constants of the kernels' instruction set on this class of core, with each path scaled to what it takes here,
/// relative to decode: measured on two linear layers of 64 columns and one, and on a convolution. Takes about 50 ms, in
/// which the machine should be otherwise idle. Paths that the kernels lack, and depthwise, keep a scale of 1. Give the
/// result to prepacked_matrix::set_costs. Throws out_of_memory, and bad_params where BITPQ_CORE names no class of core.
template <scalar T>
[[nodiscard]] path_costs calibrate(const kernel_table<T>& kernels = bitpq::kernels<T>()) {
  const std::size_t channels = 64, side = 28, columns = 64;
  const layer_geometry g = layer_geometry::conv2d(channels, channels, {3, 3}, {{1, 1}, {1, 1}});
  const prepacked_matrix<T> layers[] = {detail::calibration_layer<T>({512, 512, 8, 64, 1}, kernels),
                                        detail::calibration_layer<T>({1024, 256, 4, 256, 1}, kernels),
                                        detail::calibration_layer<T>({g.rows(), g.cols(), 9, 16, 1}, kernels)};
  std::size_t most = channels * side * side;
  for (const prepacked_matrix<T>& w : {std::cref(layers[0]), std::cref(layers[1])})
    most = (std::max)(most, (std::max)(w.rows(), w.cols()) * columns);
  const aligned_buffer<T> x(most);
  aligned_buffer<T> y(most);
  std::array<double, all_gemm_paths.size()> ratios{}, counts{};
  const auto measure = [&](const gemm_plan& plan, const auto& run) {
    for (std::size_t i = 0; i < plan.cost.size(); ++i) {
      if (!(plan.cost[i] < std::numeric_limits<double>::infinity())) continue;
      ratios[i] += std::log(detail::fastest([&] { run(all_gemm_paths[i]); }) / plan.cost[i]);
      counts[i] += 1;
    }
  };
  for (const std::size_t n : {std::size_t{1}, columns})
    for (const prepacked_matrix<T>& w : {std::cref(layers[0]), std::cref(layers[1])})
      measure(plan_gemm(w, n), [&](gemm_path path) {
        gemm(w, {x.data(), w.cols(), n}, {y.data(), w.rows(), n}, {}, {}, path);
      });
  measure(plan_conv2d(layers[2], g, 1, {side, side}), [&](gemm_path path) {
    conv2d(layers[2], g, nchw_view<const T>(x.data(), 1, channels, side, side),
           nchw_view<T>(y.data(), 1, channels, side, side), {}, {}, path);
  });
  path_costs costs = layers[0].costs();
  const double reference = ratios[0] / counts[0];  // decode's
  for (std::size_t i = 0; i < ratios.size(); ++i)
    if (counts[i] > 0)
      costs.scale[static_cast<std::size_t>(all_gemm_paths[i])] = std::exp(ratios[i] / counts[i] - reference);
  return costs;
}

}  // namespace v1
}  // namespace bitpq
