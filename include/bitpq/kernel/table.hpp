// SPDX-License-Identifier: Apache-2.0
#pragma once

// The watershed. Above it code is a template over the scalar type and knows nothing of instruction sets; below it
// kernels are templates over an architecture and know nothing of shapes, errors or threads. They meet in these tables
// of function pointers, one per scalar type and instruction set.

#include <bitpq/core/concepts.hpp>
#include <bitpq/kernel/isa.hpp>

namespace bitpq {
inline namespace v1 {

/// Kernels that read codes, for one width of an unpacked code. See the templates of the same name.
template <scalar T, class Code>
struct code_kernels {
  void (*decode_rows)(const T* book, std::size_t book_stride, const Code* codes, std::size_t code_stride, T* weights,
                      std::size_t ldw, std::size_t rows, std::size_t blocks, std::size_t d) noexcept;
  void (*dot_rows)(const T* book, std::size_t book_stride, const Code* codes, std::size_t code_stride, const T* x, T* y,
                   std::size_t rows, std::size_t blocks) noexcept;
  void (*lut_add)(const T* tables, std::size_t codewords, const Code* codes, std::size_t code_stride, T* c,
                  std::size_t rows, std::size_t blocks) noexcept;
};

/// All kernels of one instruction set.
template <scalar T>
struct kernel_table {
  isa target;
  std::size_t lanes;  ///< elements of a vector; padded sizes are multiples of it
  std::size_t panel;  ///< columns of a packed panel

  void (*gemm_panel)(const T* a, std::ptrdiff_t lda, const T* b, T* c, std::ptrdiff_t ldc, std::size_t rows,
                     std::size_t depth, bool accumulate) noexcept;
  void (*store_row)(const T* sums, T bias, const T* residual, std::ptrdiff_t residual_stride, T* y,
                    std::ptrdiff_t y_stride, std::size_t n, bool relu) noexcept;
  void (*nearest)(const T* points, std::size_t n, std::size_t d, const T* words, const T* half_norms,
                  std::size_t padded, std::uint16_t* codes) noexcept;
  code_kernels<T, std::uint8_t> u8;
  code_kernels<T, std::uint16_t> u16;

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
