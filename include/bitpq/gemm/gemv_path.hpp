// SPDX-License-Identifier: Apache-2.0
#pragma once

// Which of the three ways of multiplying column by column serves a matrix: what each needs, and what it costs.

#include <bitpq/gemm/plan.hpp>
#include <bitpq/gemm/prepack.hpp>

namespace bitpq {
inline namespace v1 {

/// Cycles of the column-by-column paths on one instruction set; measured, see docs/adr/0010-gemv-tables.md.
struct gemv_costs {
  double decode_code;    ///< reading a code, for all columns of a pass
  double decode_vector;  ///< multiplying one vector of a codeword with a column
  double decode_row;     ///< adding a row's sum up and storing it
  double exact_code;     ///< looking a code up in a table of floats, up to 16 (AVX-512: 32) codewords
  double exact_plane;    ///< the same per 64 entries beyond that
  double exact_base;     ///< and at the least
  double lut16_few;      ///< looking a code up in a table of 16 bits, up to 16 codewords
  double lut16_code;     ///< the same up to 64
  double lut16_plane;    ///< more per further 64 entries
  double build_product;  ///< a vector multiply-add of building tables
  double build_entry;    ///< the rest of building, per entry
};

constexpr gemv_costs gemv_costs_of(isa target) noexcept {
  switch (target) {
    case isa::avx512vnni: return {0.7, 0.3, 25, 0.12, 0.05, 0.18, 0.15, 0.12, 0.03, 1.2, 0.35};
    case isa::avx512: return {0.7, 0.3, 25, 0.12, 0, 0, 0.15, 0, 0, 1.2, 0.35};
    case isa::avx2: return {0.7, 0.35, 25, 0.26, 0, 0, 0.16, 0, 0, 1, 3};
    case isa::neon64: return {1.5, 0.6, 25, 1.1, 0, 0, 0.6, 0, 0, 1, 5};
    case isa::sse2: return {1, 0.5, 25, 0, 0, 0, 0, 0, 0, 1, 5};
    case isa::scalar: return {1.5, 0.75, 10, 3, 0, 3, 5, 5, 0, 1, 5};
  }
  return {};
}

/// Why a matrix of that format cannot be multiplied along that path, or nothing when it can.
template <scalar T>
[[nodiscard]] std::string why_no_gemv(gemm_path path, const code_format& format, precision allowed,
                                      const kernel_table<T>& kernels) {
  std::ostringstream text;
  const std::size_t most =
      path == gemm_path::gemv_lut ? kernels.lookup.exact_codewords : kernels.lookup.lut16_codewords;
  if (path == gemm_path::lut16 && allowed == precision::exact)
    text << "path lut16 is not exact, and the matrix was prepacked for exact products";
  else if ((path == gemm_path::gemv_lut || path == gemm_path::lut16) && format.codewords > most)
    text << "path " << to_string(path) << " takes up to " << most << " codewords of " << 8 * sizeof(T)
         << "-bit numbers with the " << to_string(kernels.target) << " kernels, not " << format.codewords;
  return text.str();
}

/// Throws unsupported, with the reason, when a path is given that `w` cannot be multiplied along.
template <scalar T>
void require_gemv_path(const prepacked_matrix<T>& w, gemm_path path) {
  if (path != gemm_path::gemv_lut && path != gemm_path::lut16) return;
  const std::string reason = why_no_gemv(path, w.format(), w.allowed(), w.kernels());
  require(reason.empty(), errc::unsupported, reason);
}

/// Cycles, roughly, of a product with so many columns along gemv, gemv_lut or lut16 on kernels with vectors of `lanes`
/// elements. Only the first works on two columns at a time. Tables cost codewords x columns of the matrix once: they
/// pay where rows are many.
[[nodiscard]] inline double gemv_cost(gemm_path path, const code_format& format, std::size_t columns, isa target,
                                      std::size_t lanes) noexcept {
  const auto real = [](std::size_t n) { return static_cast<double>(n); };
  const gemv_costs cost = gemv_costs_of(target);
  const double codes = real(format.codes()), blocks = real(format.blocks());
  if (path == gemm_path::gemv) {
    const codeword_vectors vectors = split_codeword(format.block_size, lanes, true);
    // A codebook beyond the first-level cache comes from the second.
    const bool large = format.codewords * vectors.size() * 4 > 24 * 1024;
    const double misses = large ? 0.7 * real(ceil_div(vectors.size(), 16)) : 0;
    return real(ceil_div(columns, 2)) * codes * (cost.decode_code + misses) +
           real(columns) * (codes * real(vectors.full) * cost.decode_vector + real(format.rows) * cost.decode_row);
  }
  const std::size_t entries = table_entries(format.codewords);
  const double planes = real(ceil_div(entries, 64));
  const bool few = format.codewords <= (lanes == 16 ? 32 : 16);
  double each = few ? cost.exact_code : cost.exact_base + cost.exact_plane * planes;
  if (path == gemm_path::lut16)
    each = format.codewords <= 16 ? cost.lut16_few : cost.lut16_code + cost.lut16_plane * (planes - 1);
  const double build =
      real(ceil_div(entries, lanes) * format.block_size) * cost.build_product + real(entries) * cost.build_entry;
  return real(columns) * (codes * each + blocks * build);
}

/// The cheapest path that serves `w`.
template <scalar T>
[[nodiscard]] gemm_path best_gemv_path(const prepacked_matrix<T>& w, std::size_t columns) {
  gemm_path best = gemm_path::gemv;
  double least = gemv_cost(best, w.format(), columns, w.kernels().target, w.kernels().lanes);
  for (const gemm_path path : {gemm_path::gemv_lut, gemm_path::lut16}) {
    if (!why_no_gemv(path, w.format(), w.allowed(), w.kernels()).empty()) continue;
    const double cost = gemv_cost(path, w.format(), columns, w.kernels().target, w.kernels().lanes);
    if (cost < least) {
      least = cost;
      best = path;
    }
  }
  return best;
}

}  // namespace v1
}  // namespace bitpq
