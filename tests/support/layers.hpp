// SPDX-License-Identifier: Apache-2.0
#pragma once

// Layers to compress: their weights, correlated inputs, and the inputs' second moments by the plainest means.

#include "support/random_data.hpp"

#include <bitpq/quantize/compress.hpp>

#include <Eigen/Core>

#include <vector>

namespace bitpq_test {

using row_major = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// Any view as an Eigen matrix in double precision.
template <class T>
row_major to_eigen(const bitpq::matrix_view<T>& m) {
  row_major e(static_cast<Eigen::Index>(m.rows()), static_cast<Eigen::Index>(m.cols()));
  for (std::size_t i = 0; i < m.rows(); ++i)
    for (std::size_t j = 0; j < m.cols(); ++j)
      e(static_cast<Eigen::Index>(i), static_cast<Eigen::Index>(j)) = static_cast<double>(m(i, j));
  return e;
}

/// batch x channels x size x size, contiguous: each channel a noisy copy of the one before, neighbouring pixels alike.
template <bitpq::scalar T>
std::vector<T> correlated_images(std::size_t batch, std::size_t channels, bitpq::extent2 size, std::uint64_t seed) {
  std::vector<T> x = random_values<T>(batch * channels * size.h * size.w, seed);
  const std::size_t plane = size.h * size.w;
  for (std::size_t i = 1; i < x.size(); ++i)
    if (i % size.w != 0) x[i] = static_cast<T>(0.6 * static_cast<double>(x[i - 1]) + 0.4 * static_cast<double>(x[i]));
  for (std::size_t i = plane; i < x.size(); ++i)
    if (i / plane % channels != 0)
      x[i] = static_cast<T>(0.9 * static_cast<double>(x[i - plane]) + 0.3 * static_cast<double>(x[i]));
  return x;
}

/// The inputs that one group's weights meet, one column per output pixel: im2col from its definition.
template <class T>
row_major naive_columns(const bitpq::layer_geometry& g, std::size_t group, const bitpq::nchw_view<T>& x) {
  const bitpq::extent2 out = g.output_size({x.height(), x.width()});
  row_major columns =
      row_major::Zero(static_cast<Eigen::Index>(g.cols()), static_cast<Eigen::Index>(x.batch() * out.h * out.w));
  Eigen::Index column = 0;
  for (std::size_t n = 0; n < x.batch(); ++n)
    for (std::size_t i = 0; i < out.h; ++i)
      for (std::size_t j = 0; j < out.w; ++j, ++column)
        for (std::size_t k = 0; k < g.cols(); ++k) {
          const std::size_t c = k / g.window(), u = k % g.window() / g.kernel.w, v = k % g.kernel.w;
          const std::size_t h = i * g.conv.stride.h + u * g.conv.dilation.h;  // in the padded image
          const std::size_t w = j * g.conv.stride.w + v * g.conv.dilation.w;
          if (h < g.conv.padding.h || h >= x.height() + g.conv.padding.h) continue;
          if (w < g.conv.padding.w || w >= x.width() + g.conv.padding.w) continue;
          columns(static_cast<Eigen::Index>(k), column) =
              static_cast<double>(x(n, group * g.in_per_group() + c, h - g.conv.padding.h, w - g.conv.padding.w));
        }
  return columns;
}

/// Second moments of a layer's inputs, from contiguous images of that size.
template <bitpq::scalar T>
bitpq::importance moments_of(const bitpq::layer_geometry& g, const std::vector<T>& x, std::size_t batch,
                             bitpq::extent2 size) {
  bitpq::gram_accumulator gram(g);
  gram.add(bitpq::nchw_view<const T>(x.data(), batch, g.in_channels, size.h, size.w));
  return gram.finish();
}

/// Whether all elements are the same bits.
inline bool same_moments(const bitpq::importance& a, const bitpq::importance& b) {
  if (a.groups() != b.groups() || a.cols() != b.cols()) return false;
  for (std::size_t g = 0; g < a.groups(); ++g)
    if (to_eigen(a.gram(g)) != to_eigen(b.gram(g))) return false;
  return true;
}

/// The weights that codes stand for, in double precision.
template <bitpq::scalar T>
row_major weights_of(const bitpq::pq_matrix<T>& codes) {
  std::vector<T> w(codes.rows() * codes.cols());
  const bitpq::matrix_view<T> view(w.data(), codes.rows(), codes.cols());
  codes.decode(view);
  return to_eigen(view);
}

template <bitpq::scalar T>
bool same_weights(const bitpq::pq_matrix<T>& a, const bitpq::pq_matrix<T>& b) {
  return a.format() == b.format() && a.codes() == b.codes() && a.book().type() == b.book().type() &&
         std::equal(a.book().values().begin(), a.book().values().end(), b.book().values().begin()) &&
         std::equal(a.book().scales().begin(), a.book().scales().end(), b.book().scales().begin(),
                    b.book().scales().end()) &&
         a.scales().type() == b.scales().type() &&
         std::equal(a.scales().values().begin(), a.scales().values().end(), b.scales().values().begin(),
                    b.scales().values().end());
}

}  // namespace bitpq_test
