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

/// What the library decides for one image, or for `columns` tokens.
inline bitpq::gemm_path chosen_path(const bitpq::prepacked_matrix<float>& w, const bitpq::layer_geometry& g,
                                    bitpq::extent2 image, std::size_t columns) {
  return (g.type == bitpq::layer_geometry::kind::conv2d ? bitpq::plan_conv2d(w, g, 1, image)
                                                        : bitpq::plan_gemm(w, columns))
      .path;
}

}  // namespace bench
