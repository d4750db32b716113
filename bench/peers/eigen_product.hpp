// SPDX-License-Identifier: Apache-2.0
#pragma once

// Eigen's dense product, in a translation unit of its own: it is compiled for all the vectors this machine has, which
// bitpq's and the standard library's templates must not be.

#include <cstddef>

namespace bench {

/// y = w x, w of out x in; all row-major, or, if so told, the activations column by column.
void eigen_product(const float* w, const float* x, float* y, std::size_t out, std::size_t in, std::size_t columns,
                   bool column_major);

const char* eigen_version();

/// Floats in Eigen's vectors.
std::size_t eigen_lanes();

}  // namespace bench
