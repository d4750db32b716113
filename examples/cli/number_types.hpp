// SPDX-License-Identifier: Apache-2.0
#pragma once

// The element types that are numbers to the program: weights and other parameters.

#include <bitpq/io/dtype.hpp>

#include <algorithm>
#include <iterator>

namespace cli {

inline constexpr bitpq::dtype number_types[] = {bitpq::dtype::f16, bitpq::dtype::bf16, bitpq::dtype::f32,
                                                bitpq::dtype::f64};

inline bool is_number(bitpq::dtype type) noexcept {
  return std::find(std::begin(number_types), std::end(number_types), type) != std::end(number_types);
}

}  // namespace cli
