// SPDX-License-Identifier: Apache-2.0
#pragma once

// The paths that a layer may be computed on. A new enumerator of gemm_path is found by its name.

#include <bitpq/codec/layer_geometry.hpp>
#include <bitpq/gemm/plan.hpp>
#include <bitpq/gemm/prepack.hpp>

#include <string_view>
#include <vector>

namespace bench {

/// Every path but automatic, whether or not a given layer supports it.
inline std::vector<bitpq::gemm_path> all_paths() {
  return {bitpq::all_gemm_paths.begin(), bitpq::all_gemm_paths.end()};
}

/// What the library decides for `columns` columns of all groups together.
inline bitpq::gemm_path chosen_path(const bitpq::prepacked_matrix<float>& w, const bitpq::layer_geometry& g,
                                    std::size_t columns) {
  const bitpq::gemm_plan plan =
      bitpq::make_plan(w.format(), {g.out_per_group(), columns, w.kernels().lanes, w.kernels().panel});
  const bool convolution = g.type == bitpq::layer_geometry::kind::conv2d;
  return convolution && plan.path == bitpq::gemm_path::gemv ? bitpq::gemm_path::decode : plan.path;
}

}  // namespace bench
