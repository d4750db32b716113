// SPDX-License-Identifier: Apache-2.0
#pragma once

// A convolution's input as columns, for floors above: what products read panels with.

#include <bitpq/gemm/detail/convolution_columns.hpp>
#include <bitpq/kernel/dispatch.hpp>

namespace bitpq {
inline namespace v1 {

/// Columns [first, first + n) of the im2col matrix of x: row k = (channel of the group, kernel y, kernel x), column =
/// (image, output y, output x). Made, used and destroyed on one thread, from whose scratch its memory is borrowed.
template <scalar T>
class input_columns {
 public:
  /// Throws out_of_memory.
  input_columns(const nchw_view<const T>& x, const layer_geometry& geometry, extent2 out, std::size_t first,
                std::size_t n)
      : reader_(bitpq::kernels<T>(), x, geometry, out),
        memory_(cut(nullptr, n).second),
        workspace_(cut(memory_.data(), n).first),
        first_(first),
        n_(n) {}

  /// Rows [k0, k1) to dst[(k - k0) * ld + lane]; the lanes beyond n, and copy_slack elements beyond the last row, may
  /// be written too.
  void pack(std::size_t group, std::size_t k0, std::size_t k1, T* dst, std::size_t ld) noexcept {
    reader_.pack(workspace_, group, k0, k1, first_, n_, dst, ld);
  }

 private:
  using workspace = typename detail::convolution_columns<T>::workspace;

  /// The workspace and the bytes it takes.
  [[nodiscard]] std::pair<workspace, std::size_t> cut(std::byte* memory, std::size_t n) const noexcept {
    scratch_cutter cutter(memory);
    const workspace mine = reader_.cut(cutter, n);
    return {mine, cutter.used()};
  }

  detail::convolution_columns<T> reader_;
  scratch memory_;
  workspace workspace_;
  std::size_t first_, n_;
};

}  // namespace v1
}  // namespace bitpq
