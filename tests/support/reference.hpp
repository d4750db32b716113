// SPDX-License-Identifier: Apache-2.0
#pragma once

// What products and convolutions must come to, in double precision and by the plainest means.

#include <bitpq/codec/layer_geometry.hpp>

#include <span>
#include <vector>

namespace bitpq_test {

template <class T>
std::vector<double> as_double(std::span<const T> values) {
  return {values.begin(), values.end()};
}
template <class T>
std::vector<double> as_double(const std::vector<T>& values) {
  return {values.begin(), values.end()};
}

/// a (rows x depth) times b (depth x cols), row-major, by Eigen.
std::vector<double> reference_product(std::span<const double> a, std::span<const double> b, std::size_t rows,
                                      std::size_t depth, std::size_t cols);

/// The convolution of x (batch x channels x in.h x in.w) with weights of geometry.rows() x geometry.cols(): seven
/// loops, one per index.
std::vector<double> reference_convolution(const bitpq::layer_geometry& geometry, std::span<const double> weights,
                                          std::span<const double> x, std::size_t batch, bitpq::extent2 in);

/// Adds bias (one per `outputs`, each covering `each` neighbouring elements; may be empty) and residual (may be
/// empty), then cuts off below zero with relu.
void reference_epilogue(std::vector<double>& y, std::span<const double> bias, std::size_t each,
                        std::span<const double> residual, bool relu);

/// The Frobenius norm.
double norm(std::span<const double> values);

/// |got - want| / max(|want|, least) in Frobenius norms; infinity where something is no number. `least` is for small
/// outputs whose terms happen to cancel.
double relative_error(std::span<const double> got, std::span<const double> want, double least = 0);

}  // namespace bitpq_test
