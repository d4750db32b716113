// SPDX-License-Identifier: Apache-2.0
#pragma once

// The watershed. Above it code is a template over the scalar type and knows nothing of instruction sets; below it
// kernels are templates over an architecture and know nothing of shapes, errors or threads. They meet in these tables
// of function pointers, one per scalar type and instruction set.

#include <bitpq/kernel/arguments.hpp>
#include <bitpq/kernel/gemv_layout.hpp>
#include <bitpq/kernel/isa.hpp>

namespace bitpq {
inline namespace v1 {

/// Operands of dot_rows. Codewords and blocks of the input are padded to whole vectors with zeros; block j of input
/// column c begins at x + c * x_stride + j * vectors.size().
template <scalar T, class Code>
struct dot_operands {
  codeword_vectors vectors;
  const T* book;      ///< one codeword after the other
  const Code* codes;  ///< [block][row], rows padded to gemv_rows
  std::size_t code_stride;
  const T* x;
  std::size_t x_stride;
};

/// Kernels that read codes, for one width of an unpacked code. See the templates of the same name.
template <scalar T, class Code>
struct code_kernels {
  void (*code_panel)(const T* book, std::size_t book_stride, const Code* codes, std::size_t code_stride, const T* b,
                     std::size_t ldb, T* c, std::ptrdiff_t ldc, std::size_t rows, std::size_t columns,
                     std::size_t depth, std::size_t d, bool accumulate) noexcept;
  void (*code_traffic)(const T* book, std::size_t book_stride, const Code* codes, std::size_t code_stride, const T* b,
                       std::size_t ldb, T* c, std::ptrdiff_t ldc, std::size_t rows, std::size_t columns,
                       std::size_t depth, std::size_t d, bool accumulate, const panel_traffic<T>& traffic) noexcept;
  void (*lut_step)(const lut_operands<T>& with, const lut_look_up<T, Code>& from,
                   const lut_build<T, Code>& to) noexcept;
  void (*dot_rows)(const dot_operands<T, Code>& operands, T* y, std::size_t y_stride, std::size_t rows,
                   std::size_t blocks, std::size_t columns) noexcept;
  /// Null where an instruction set has no strips.
  void (*multiply_strip)(const strip_product<T, Code>& p) noexcept;
};

/// Kernels that look the codes of one column's product up in tables, codes of 8 bits only. `words` is a codebook
/// transposed, [d][table_entries(codewords)]; a table belongs to a block of the input; rows are a multiple of
/// gemv_rows. Null where an instruction set has none: then the most codewords are 0.
template <scalar T>
struct lookup_kernels {
  std::size_t exact_codewords = 0;  ///< the most that exact tables take
  std::size_t lut16_codewords = 0;

  /// Tables of `blocks` blocks of x, of d elements each.
  void (*build_exact)(const T* words, std::size_t codewords, std::size_t d, const T* x, std::size_t blocks,
                      std::uint8_t* tables) noexcept = nullptr;
  /// sums[r] += sum over j < blocks of tables[j][codes[j][r]].
  void (*add_exact)(const std::uint8_t* tables, std::size_t codewords, const std::uint8_t* codes,
                    std::size_t code_stride, T* sums, std::size_t rows, std::size_t blocks) noexcept = nullptr;
  /// The same in 16 bits. Blocks may only be added up with those of the same exponent, the name of their scale.
  void (*build_lut16)(const T* words, std::size_t codewords, std::size_t d, const T* x, std::size_t blocks,
                      std::uint8_t* tables, std::uint8_t* exponents) noexcept = nullptr;
  /// sums[r] += sum over i < count of tables[order[i]][codes[order[i]][r]], count <= lut16_blocks.
  void (*add_lut16)(const std::uint8_t* tables, std::size_t codewords, const std::uint32_t* order, std::size_t count,
                    std::uint8_t exponent, const std::uint8_t* codes, std::size_t code_stride, T* sums,
                    std::size_t rows) noexcept = nullptr;
};

/// Kernels of 8-bit products, whose scalar type is float. See the templates of the same names with int8_ before them.
struct int8_kernels {
  std::size_t group;        ///< elements of a word
  std::int32_t subtrahend;  ///< what packing takes from bytes

  int8_range (*range)(const float* src, std::ptrdiff_t step, std::size_t n, int8_range so_far) noexcept;
  void (*column_ranges)(const float* src, std::ptrdiff_t row_stride, std::size_t rows, std::size_t columns, float* lows,
                        float* highs) noexcept;
  void (*quantize_runs)(const float* src, std::ptrdiff_t step, const copy_run* runs, std::size_t count,
                        const int8_units& units, std::uint8_t* dst) noexcept;
  void (*quantize_rows)(const float* src, std::ptrdiff_t row_stride, const int8_units& units, std::uint8_t* dst,
                        std::size_t ld, std::size_t rows, std::size_t n) noexcept;
  void (*copy_runs)(const std::uint8_t* src, const std::size_t* offsets, std::size_t rows, const copy_run* runs,
                    std::size_t count, std::uint8_t* dst, std::size_t ld) noexcept;
  void (*pack)(const std::uint8_t* src, std::size_t ld, std::size_t depth, std::size_t d, std::size_t columns,
               std::uint32_t* words, std::size_t ldw) noexcept;
  void (*panel8)(const int8_product<std::uint8_t>& p) noexcept;
  void (*panel16)(const int8_product<std::uint16_t>& p) noexcept;
  void (*sparse)(const int8_sparse_product& p) noexcept;
  void (*dequantize)(const std::int32_t* sums, std::size_t ld, std::size_t rows, std::size_t columns,
                     const std::int32_t* weights, const std::int32_t* zeros, const float* scales, float* dst) noexcept;

  /// The micro-kernel for that width of code.
  void panel(const int8_product<std::uint8_t>& p) const noexcept { panel8(p); }
  void panel(const int8_product<std::uint16_t>& p) const noexcept { panel16(p); }
};

/// The transforms of Winograd's filtering of tiles of that many outputs, squared, by that stride. See the templates of
/// the same names with winograd_ before them.
template <scalar T>
struct winograd_kernels {
  std::size_t tile, stride;

  void (*filter)(const T* filters, std::size_t distance, std::size_t count, T* u, std::size_t ld) noexcept;
  void (*input)(const T* window, const std::size_t* taps, const copy_run* runs, std::size_t count, T* v,
                std::size_t ld) noexcept;
  void (*output)(const T* m, std::size_t ld, T* y, std::size_t ldy, std::size_t columns) noexcept;
};

/// Strips of few tiles of 4 x 4, for Winograd's products; null where an instruction set has none. See
/// winograd_strips.hpp, and the templates of the same names with strip_ before them.
template <scalar T>
struct strip_kernels {
  void (*filters)(const T* u, std::size_t ld, std::size_t count, T* words) noexcept = nullptr;
  void (*inputs)(const T* v, std::size_t ld, std::size_t tiles, T* strips, std::size_t stride) noexcept = nullptr;
  void (*outputs)(const T* strips, std::size_t stride, std::size_t tiles, T* m, std::size_t ld) noexcept = nullptr;
};

/// All kernels of one instruction set.
template <scalar T>
struct kernel_table {
  isa target;
  std::size_t lanes;      ///< elements of a vector; padded sizes are multiples of it
  std::size_t panel;      ///< columns of a packed panel
  std::size_t lut_width;  ///< columns of a table, the most
  bool quick_lane_sums;   ///< add_block_gradient adds up the lanes of four rows' sums at once

  void (*gemm_panel)(const T* a, std::ptrdiff_t lda, const T* b, std::size_t ldb, T* c, std::ptrdiff_t ldc,
                     std::size_t rows, std::size_t columns, std::size_t depth, bool accumulate) noexcept;
  void (*gemm_traffic)(const T* a, std::ptrdiff_t lda, const T* b, std::size_t ldb, T* c, std::ptrdiff_t ldc,
                       std::size_t rows, std::size_t columns, std::size_t depth, bool accumulate,
                       const panel_traffic<T>& traffic) noexcept;
  void (*gather_runs)(const T* src, std::ptrdiff_t step, const copy_run* runs, std::size_t count, T* dst) noexcept;
  void (*copy_runs)(const T* src, const std::size_t* offsets, std::size_t rows, const copy_run* runs, std::size_t count,
                    T* dst, std::size_t ld) noexcept;
  void (*filter_runs)(const T* window, const std::size_t* taps, const T* weights, std::size_t count,
                      const copy_run* runs, std::size_t run_count, T* dst) noexcept;
  void (*pack_rows)(const T* src, std::ptrdiff_t row_stride, T* dst, std::size_t ld, std::size_t rows,
                    std::size_t n) noexcept;
  void (*store_rows)(const T* sums, std::size_t ld, std::size_t rows, std::size_t columns,
                     const store_target<T>& to) noexcept;
  void (*nearest)(const T* points, std::ptrdiff_t stride, std::size_t n, const nearest_words<T>& words, T* scratch,
                  std::uint16_t* codes) noexcept;
  std::size_t (*nearest_scratch)(std::size_t padded, std::size_t d) noexcept;
  double (*add_to_clusters)(const T* points, std::ptrdiff_t stride, std::size_t n, std::size_t d, const T* weights,
                            const std::uint16_t* codes, const T* codewords, double* sums, double* totals) noexcept;
  T(*lower_potentials)
  (const T* columns, std::size_t ld, std::size_t n, std::size_t d, const T* c, const T* weights, T* values) noexcept;
  void (*add_block_gradient)(const gradient_block<T>& b) noexcept;
  winograd_kernels<T> winograd[2][2];
  strip_kernels<T> strips;
  void (*name_entries)(const std::uint8_t* entry_of, const std::uint8_t* codes, std::size_t n,
                       std::uint8_t* entries) noexcept;
  code_kernels<T, std::uint8_t> u8;
  code_kernels<T, std::uint16_t> u16;
  lookup_kernels<T> lookup;
  int8_kernels int8;

  /// The transforms of tiles of 2 or 4 outputs, squared, by a stride of 1 or 2.
  [[nodiscard]] constexpr const winograd_kernels<T>& winograd_of(std::size_t tile, std::size_t stride) const noexcept {
    return winograd[tile / 4][stride - 1];
  }
  /// The kernels for that width of code.
  template <class Code>
  [[nodiscard]] constexpr const code_kernels<T, Code>& on() const noexcept {
    if constexpr (sizeof(Code) == 1)
      return u8;
    else
      return u16;
  }
};

namespace detail {
/// The table of one instruction set. Defined in instantiate.hpp; in a dispatched program only the generated
/// translation unit of that instruction set sees the definition and instantiates it.
template <scalar T, isa Target>
const kernel_table<T>& built_table() noexcept;
}  // namespace detail

}  // namespace v1
}  // namespace bitpq
