// SPDX-License-Identifier: Apache-2.0
#pragma once

// Which way a product is computed, decided from numbers alone and explained in words.

#include <bitpq/codec/code_format.hpp>

#include <algorithm>
#include <sstream>
#include <string>

namespace bitpq {
inline namespace v1 {

enum class gemm_path {
  automatic,  ///< let the plan decide
  decode,     ///< decode rows of codes into a panel, then the dense micro-kernel
  lut,        ///< table of codeword products per block, then one addition per code
  gemv,       ///< decode and multiply column by column
  gemv_lut,   ///< column by column, a table of codeword products per block, exact
  lut16,      ///< the same with tables of 16 bits
};

constexpr const char* to_string(gemm_path path) noexcept {
  switch (path) {
    case gemm_path::automatic: return "automatic";
    case gemm_path::decode: return "decode";
    case gemm_path::lut: return "lut";
    case gemm_path::gemv: return "gemv";
    case gemm_path::gemv_lut: return "gemv_lut";
    case gemm_path::lut16: return "lut16";
  }
  return "unknown";
}

/// Whether a path goes column by column.
constexpr bool is_gemv(gemm_path path) noexcept {
  return path == gemm_path::gemv || path == gemm_path::gemv_lut || path == gemm_path::lut16;
}

/// A decision and the estimates behind it, in vector multiply-adds per weight matrix.
struct gemm_plan {
  gemm_path path = gemm_path::decode;
  bool forced = false;
  double decode_cost = 0;
  double lut_cost = 0;
  double gemv_cost = 0;

  /// One line for people.
  [[nodiscard]] std::string why() const {
    std::ostringstream text;
    text << to_string(path) << (forced ? " (forced)" : "") << ": estimated vector operations decode " << decode_cost
         << ", lut " << lut_cost << ", gemv " << gemv_cost;
    return text.str();
  }
};

/// What a plan depends on besides the format: `rows` of the weights in one group, columns of the right operand,
/// elements of a vector, columns of a panel.
struct plan_inputs {
  std::size_t rows = 0;
  std::size_t columns = 0;
  std::size_t lanes = 1;
  std::size_t panel = 2;
};

/// The cheapest path, or `forced`. Costs: every path moves the same right operand, so only what differs is counted.
/// A panel of columns takes, on the decode path, a multiply-add per weight plus a copy per vector of a codeword; on the
/// table path a multiply-add per codeword element of every block (K / rows of the dense work) plus an addition per
/// code, which is bound by loads and counted as 1.5; on the gemv path a multiply-add per vector of a codeword for each
/// column.
[[nodiscard]] inline gemm_plan make_plan(const code_format& format, const plan_inputs& in,
                                         gemm_path forced = gemm_path::automatic) {
  const auto real = [](std::size_t n) { return static_cast<double>(n); };
  const double panels = real(ceil_div(in.columns, in.panel));
  const double vectors = real(in.panel / in.lanes);
  const double codes = real(in.rows * format.blocks());
  const double copies = codes * real(ceil_div(format.block_size, in.lanes));
  gemm_plan plan;
  plan.decode_cost = panels * (real(in.rows * format.cols) * vectors + copies);
  plan.lut_cost = panels * vectors * (real(format.codewords * format.cols) + 1.5 * codes);
  plan.gemv_cost = real(in.columns) * 1.5 * copies;
  plan.forced = forced != gemm_path::automatic;
  if (plan.forced)
    plan.path = forced;
  else if (plan.gemv_cost < (std::min)(plan.decode_cost, plan.lut_cost))
    plan.path = gemm_path::gemv;
  else
    plan.path = plan.lut_cost < plan.decode_cost ? gemm_path::lut : gemm_path::decode;
  return plan;
}

}  // namespace v1
}  // namespace bitpq
