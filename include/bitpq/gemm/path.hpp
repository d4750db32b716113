// SPDX-License-Identifier: Apache-2.0
#pragma once

// The ways in which a product can be computed.

#include <array>
#include <cstddef>

namespace bitpq {
inline namespace v1 {

enum class gemm_path {
  automatic,  ///< let the plan decide
  decode,     ///< the dense micro-kernel, reading codewords where it would read weights
  lut,        ///< a table of codeword products per block, then one addition per code
  gemv,       ///< column by column, codewords multiplied as they are decoded
  gemv_lut,   ///< column by column, a table of codeword products per block, exact
  lut16,      ///< the same with tables of 16 bits
  winograd,   ///< F(2 x 2, 3 x 3) on the transformed codebook: convolutions of stride 1 or 2, blocks of whole filters
  winograd4,  ///< F(4 x 4, 3 x 3), for the same layers
  depthwise,  ///< filters decoded one by one: convolutions with one input channel per group
  int8,       ///< codewords and activations of 8 bits: only where the layer's precision allows
};

inline constexpr std::array all_gemm_paths{gemm_path::decode,    gemm_path::lut,       gemm_path::gemv,
                                           gemm_path::gemv_lut,  gemm_path::lut16,     gemm_path::winograd,
                                           gemm_path::winograd4, gemm_path::depthwise, gemm_path::int8};

constexpr const char* to_string(gemm_path path) noexcept {
  switch (path) {
    case gemm_path::automatic: return "automatic";
    case gemm_path::decode: return "decode";
    case gemm_path::lut: return "lut";
    case gemm_path::gemv: return "gemv";
    case gemm_path::gemv_lut: return "gemv_lut";
    case gemm_path::lut16: return "lut16";
    case gemm_path::winograd: return "winograd";
    case gemm_path::winograd4: return "winograd4";
    case gemm_path::depthwise: return "depthwise";
    case gemm_path::int8: return "int8";
  }
  return "unknown";
}

/// Whether a path goes column by column.
constexpr bool is_gemv(gemm_path path) noexcept {
  return path == gemm_path::gemv || path == gemm_path::gemv_lut || path == gemm_path::lut16;
}

/// Outputs of a tile of Winograd's filtering, squared; 0 for other paths.
constexpr std::size_t winograd_tile(gemm_path path) noexcept {
  return path == gemm_path::winograd ? 2 : path == gemm_path::winograd4 ? 4 : 0;
}

}  // namespace v1
}  // namespace bitpq
