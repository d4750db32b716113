// SPDX-License-Identifier: Apache-2.0
#pragma once

// Sizes as Stock et al. 2020 count them, to compare with what they published.

#include "cli/number_types.hpp"

#include <bitpq/io/compressed_model.hpp>

namespace cli {

/// Bytes of the codes, the codewords in fp16 and all other parameters in fp32. Running statistics of batch norms are
/// none: folded into scale and shift, they need not be stored. Names and other words of a file are not counted.
template <bitpq::scalar T>
[[nodiscard]] std::size_t paper_bytes(const bitpq::compressed_model<T>& model) {
  std::size_t bits = 0;
  for (const auto& [name, layer] : model.layers())
    bits +=
        layer.weight.size().code_bits + 16 * layer.weight.book().values().size() + 32 * layer.weight.scales().size();
  for (const auto& [name, tensor] : model.tensors())
    if (is_number(tensor.type) && !name.ends_with("running_mean") && !name.ends_with("running_var"))
      bits += 32 * (8 * tensor.bytes.size() / bits_of(tensor.type));
  return bits / 8;
}

}  // namespace cli
