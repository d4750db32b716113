// SPDX-License-Identifier: Apache-2.0
#pragma once

// The matrix products that peers are compared on, and what both sides of such a row work with.

#include "peers/comparison.hpp"
#include "support/paths.hpp"
#include "support/random_layer.hpp"

#include <bitpq/inference.hpp>

namespace bench {

struct product {
  std::size_t in, out, columns, block_size, codewords;
};

/// "512x2048x64/d8/k256"; without the columns where there is but one.
inline std::string name_of(const product& p) {
  return std::to_string(p.in) + "x" + std::to_string(p.out) + (p.columns > 1 ? "x" + std::to_string(p.columns) : "") +
         "/d" + std::to_string(p.block_size) + "/k" + std::to_string(p.codewords);
}

/// Layers of residual networks as products, projections of a language model, and settings of few codewords.
inline std::vector<product> products() {
  return {{512, 2048, 64, 8, 256},   {1024, 2048, 192, 8, 256}, {256, 1024, 192, 8, 256}, {2048, 512, 64, 8, 256},
          {512, 2048, 64, 4, 256},   {4608, 512, 64, 9, 256},   {4608, 512, 64, 18, 256}, {4096, 4096, 32, 8, 256},
          {4096, 11008, 32, 8, 256}, {4096, 4096, 128, 8, 256}, {576, 64, 3136, 9, 16},   {1152, 128, 784, 9, 32},
          {2304, 256, 196, 9, 64},   {4608, 512, 49, 18, 64},   {256, 64, 3136, 4, 16},   {64, 256, 3136, 4, 16}};
}

inline std::vector<product> matrix_vector_products() {
  return {{2048, 2048, 1, 8, 256}, {4096, 4096, 1, 8, 256}, {4096, 11008, 1, 8, 256}, {11008, 4096, 1, 8, 256},
          {2048, 2048, 1, 4, 256}, {4096, 4096, 1, 4, 256}, {2048, 2048, 1, 4, 16},   {4608, 512, 1, 9, 256}};
}

/// Codes, the dense weights they stand for, an input, bitpq's output and what it should be.
struct product_fixture {
  explicit product_fixture(const product& p, bitpq::precision allowed = bitpq::precision::exact,
                           std::size_t codebooks = 1)
      : shape(p),
        precision(allowed),
        matrix(random_codes({p.out, p.in, p.block_size, p.codewords, codebooks})),
        codes(bitpq::prepack(matrix, allowed)),
        dense(decoded(matrix)),
        input(gaussian(p.in * p.columns, 4)),
        output(p.out * p.columns),
        expected(reference::of_product(dense, p.out, p.in, input, p.columns)) {}

  [[nodiscard]] work amount() const { return work_of(codes, shape.columns, input.size(), output.size()); }

  void multiply(const bitpq::prepacked_matrix<float>& w) {
    if (shape.columns == 1)
      bitpq::gemv(w, input, output);
    else
      bitpq::gemm(w, {input.data(), shape.in, shape.columns}, {output.data(), shape.out, shape.columns});
  }
  [[nodiscard]] side ours() {
    return {[this] { multiply(codes); }, [this] { return expected.error(output.data(), shape.columns); },
            bound_of(precision), to_string(path())};
  }

  [[nodiscard]] bitpq::gemm_path path() const {
    return chosen_path(codes, bitpq::layer_geometry::linear(shape.out, shape.in), {}, shape.columns);
  }

  product shape;
  bitpq::precision precision;
  bitpq::pq_matrix<float> matrix;
  bitpq::prepacked_matrix<float> codes;
  std::vector<float> dense, input, output;
  reference expected;
};

/// m (rows x cols) transposed.
inline std::vector<float> transposed(const std::vector<float>& m, std::size_t rows, std::size_t cols) {
  std::vector<float> t(m.size());
  constexpr std::size_t tile = 32;  // both sides of a tile stay in the cache
  for (std::size_t r0 = 0; r0 < rows; r0 += tile)
    for (std::size_t c = 0; c < cols; ++c)
      for (std::size_t r = r0; r < std::min(rows, r0 + tile); ++r) t[c * rows + r] = m[r * cols + c];
  return t;
}

}  // namespace bench
