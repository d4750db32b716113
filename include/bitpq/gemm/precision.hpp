// SPDX-License-Identifier: Apache-2.0
#pragma once

// How exactly a layer is to be computed.

namespace bitpq {
inline namespace v1 {

/// The least exact arithmetic that a layer's plan may choose, each with the relative error (Frobenius norm, against
/// double precision on the decoded weights) that its paths keep to. A host that allows more than `exact` does so layer
/// by layer, when it prepacks the layer.
enum class precision {
  exact,  ///< sums of T throughout: 1e-5 for float
  lut16,  ///< look-up tables of 16-bit integers, also with one input a hundred times the others: 1e-4
  int8,   ///< 8-bit codewords and activations, 32-bit sums: around 1e-2, with the bound of docs/adr/0011-int8.md
};

constexpr const char* to_string(precision p) noexcept {
  switch (p) {
    case precision::exact: return "exact";
    case precision::lut16: return "lut16";
    case precision::int8: return "int8";
  }
  return "unknown";
}

}  // namespace v1
}  // namespace bitpq
