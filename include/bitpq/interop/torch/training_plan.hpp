// SPDX-License-Identifier: Apache-2.0
#pragma once

// Which of the three products of a training step run on codes and which on decoded weights by LibTorch's own kernels.
// A step of a compressed layer is never to be slower than a dense one, so codes are taken where they pay.

#include <bitpq/gemm/plan.hpp>

#include <cmath>

namespace bitpq {
inline namespace v1 {
namespace torch {

enum class arithmetic {
  automatic,  ///< what training_plan estimates to be faster
  codes,      ///< this library's products; no dense weights exist
  dense,      ///< the weights are decoded once for a step, and LibTorch computes with them
};

struct training_plan {
  bool forward_on_codes = false;    ///< y = W x: gemm, conv2d
  bool inputs_on_codes = false;     ///< W^T dy: input_gradient
  bool codewords_on_codes = false;  ///< codeword_gradient fused, else from dy x^T
};

namespace detail {

/// Cycles of a core, fitted to what bench/torch measures on the layers of ResNet-18.
struct training_costs {
  double dense = 1;          ///< a vector multiply-add of LibTorch's products, to one of our micro-kernel
  double move = 6;           ///< an element of a convolution's input or output that LibTorch brings to its own layout
  double prepack_code = 8;   ///< a code, each step
  double add_row = 1.5;      ///< of the fused gradient: a vector of dy added to those of rows that share its code
  double sum_product = 1.5;  ///< and a vector of such sums times one of the d rows that its block reads
  double scatter = 2;        ///< a weight: dy x^T to the codewords, in double precision
  double margin = 1.15;      ///< by which codes must be estimated to be faster
};

/// Codewords that some of `rows` rows name, at a block position: K (1 - (1 - 1/K)^rows).
inline double codewords_in_use(double codewords, double rows) noexcept {
  return codewords * -std::expm1(rows * std::log1p(-1 / (std::max)(codewords, 1.000001)));
}

/// Whether the fused codeword gradient is estimated to be faster than dy x^T and its sums; `moved` as below.
inline bool fused_pays(const code_format& f, const product_shape& shape, double moved, double lanes,
                       const training_costs& costs = {}) noexcept {
  const auto groups = static_cast<double>(shape.groups), rows = static_cast<double>(shape.rows);
  const auto vectors = static_cast<double>(shape.columns) / lanes, weights = static_cast<double>(f.rows * f.cols);
  const double positions = groups * static_cast<double>(f.row_codes());
  const double used = codewords_in_use(static_cast<double>(f.codewords), rows);
  const double adds = positions * (rows - used) * vectors;
  const double products = positions * used * static_cast<double>(f.block_size) * vectors;
  const double dense =
      costs.dense * weights * vectors + costs.move * moved + costs.scatter * weights * static_cast<double>(f.stages);
  return costs.margin * (costs.add_row * adds + costs.sum_product * products) < dense;
}

}  // namespace detail

/// For weights of that format and a product of that shape, whose inputs and outputs have `moved` elements where it is a
/// convolution; by numbers alone, so that the same run gives the same bits. The input gradient is left to LibTorch: on
/// codes it is the same product, and decoding is the least of it.
[[nodiscard]] inline training_plan plan_training(const code_format& format, const product_shape& shape, double moved,
                                                 arithmetic forced = arithmetic::automatic) {
  if (forced != arithmetic::automatic) {
    const bool on_codes = forced == arithmetic::codes;
    return {on_codes, on_codes, on_codes};
  }
  const detail::training_costs costs;
  const kernel_table<float>& kernels = bitpq::kernels<float>();
  const gemm_plan plan = make_plan(format, shape, shape_of(kernels), precision::exact,
                                   path_costs_of(kernels.target, this_core()), gemm_path::automatic);
  const auto cost = [&](gemm_path path) {
    return plan.cost[static_cast<std::size_t>(std::find(all_gemm_paths.begin(), all_gemm_paths.end(), path) -
                                              all_gemm_paths.begin())];
  };
  const double prepacking = costs.prepack_code * static_cast<double>(format.codes());
  training_plan chosen;
  chosen.forward_on_codes = cost(plan.path) + prepacking < costs.dense * cost(gemm_path::decode);
  chosen.codewords_on_codes = detail::fused_pays(format, shape, moved, static_cast<double>(kernels.lanes), costs);
  return chosen;
}

}  // namespace torch
}  // namespace v1
}  // namespace bitpq
