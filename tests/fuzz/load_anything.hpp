// SPDX-License-Identifier: Apache-2.0
#pragma once

// What may happen to any bytes at all: they load, and everything in them can be read, or a bitpq::error says why not.

#include <bitpq/io/model.hpp>

namespace bitpq_test {

enum class outcome { refused, container, model };

namespace detail {

/// Touches every byte that a view hands out.
inline unsigned touch(std::span<const std::byte> bytes) {
  unsigned sum = 0;
  for (const std::byte b : bytes) sum += static_cast<unsigned>(b);
  return sum;
}

template <bitpq::scalar T>
bool loads_as(const bitpq::safetensors_reader& file) {
  try {
    const bitpq::compressed_model<T> model = bitpq::load_model<T>(file);
    for (const auto& [name, layer] : model.layers()) {
      std::vector<T> weights(layer.weight.rows() * layer.weight.cols());
      layer.weight.decode({weights.data(), layer.weight.rows(), layer.weight.cols()});
    }
    // Were an unread byte accepted, the sizes would not add up.
    if (model.size().bytes() + file.header_bytes() != file.file_bytes()) std::abort();
    return true;
  } catch (const bitpq::error&) {
    return false;
  }
}

}  // namespace detail

/// Any exception but bitpq::error leaves; that is the bug looked for, as is whatever a sanitizer sees.
inline outcome load_anything(std::span<const std::byte> bytes) {
  try {
    const bitpq::safetensors_reader file(bytes);
    volatile unsigned sink = 0;
    for (const bitpq::tensor_view& tensor : file.tensors()) sink = sink + detail::touch(tensor.bytes);
    const bool narrow = detail::loads_as<float>(file);
    const bool wide = detail::loads_as<double>(file);
    return narrow || wide ? outcome::model : outcome::container;
  } catch (const bitpq::error&) {
    return outcome::refused;
  }
}

}  // namespace bitpq_test
