// SPDX-License-Identifier: Apache-2.0
#pragma once

// What happens to a sum on its way to the output: y = act(W x + bias + residual).

#include <bitpq/core/matrix_view.hpp>
#include <bitpq/core/nchw_view.hpp>

#include <span>

namespace bitpq {
inline namespace v1 {

/// Stages fused into the last pass over the output; each may be left out. `View` is the output's kind of view.
template <class View>
struct basic_epilogue {
  using value_type = typename View::value_type;

  std::span<const value_type> bias{};  ///< one per output row or channel, or empty
  View residual{};                     ///< of the output's shape, or empty; may be the output itself
  bool relu = false;                   ///< max(0, .) after bias and residual
};

template <scalar T>
using epilogue = basic_epilogue<matrix_view<const T>>;
template <scalar T>
using conv_epilogue = basic_epilogue<nchw_view<const T>>;

namespace detail {
template <class View>
void check_bias(const basic_epilogue<View>& e, std::size_t rows) {
  require(e.bias.empty() || e.bias.size() == rows, errc::bad_shape, "bias of ", e.bias.size(), " elements for ", rows,
          " outputs");
}
}  // namespace detail

}  // namespace v1
}  // namespace bitpq
