// SPDX-License-Identifier: Apache-2.0

#include "support/reference.hpp"

#include <Eigen/Core>

#include <algorithm>
#include <cmath>
#include <limits>

namespace bitpq_test {

std::vector<double> reference_product(std::span<const double> a, std::span<const double> b, std::size_t rows,
                                      std::size_t depth, std::size_t cols) {
  using matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const auto index = [](std::size_t n) { return static_cast<Eigen::Index>(n); };
  std::vector<double> c(rows * cols);
  Eigen::Map<matrix>(c.data(), index(rows), index(cols)).noalias() =
      Eigen::Map<const matrix>(a.data(), index(rows), index(depth)) *
      Eigen::Map<const matrix>(b.data(), index(depth), index(cols));
  return c;
}

std::vector<double> reference_convolution(const bitpq::layer_geometry& g, std::span<const double> weights,
                                          std::span<const double> x, std::size_t batch, bitpq::extent2 in) {
  const bitpq::extent2 out = g.output_size(in);
  std::vector<double> y;
  y.reserve(batch * g.out_channels * out.h * out.w);
  for (std::size_t n = 0; n < batch; ++n)
    for (std::size_t o = 0; o < g.out_channels; ++o)
      for (std::size_t i = 0; i < out.h; ++i)
        for (std::size_t j = 0; j < out.w; ++j) {
          double sum = 0;
          for (std::size_t c = 0; c < g.in_per_group(); ++c)
            for (std::size_t u = 0; u < g.kernel.h; ++u)
              for (std::size_t v = 0; v < g.kernel.w; ++v) {
                const std::size_t h = i * g.conv.stride.h + u * g.conv.dilation.h;  // in the padded image
                const std::size_t w = j * g.conv.stride.w + v * g.conv.dilation.w;
                if (h < g.conv.padding.h || h >= in.h + g.conv.padding.h) continue;
                if (w < g.conv.padding.w || w >= in.w + g.conv.padding.w) continue;
                const std::size_t channel = o / g.out_per_group() * g.in_per_group() + c;
                sum += weights[((o * g.in_per_group() + c) * g.kernel.h + u) * g.kernel.w + v] *
                       x[((n * g.in_channels + channel) * in.h + h - g.conv.padding.h) * in.w + w - g.conv.padding.w];
              }
          y.push_back(sum);
        }
  return y;
}

void reference_epilogue(std::vector<double>& y, std::span<const double> bias, std::size_t each,
                        std::span<const double> residual, bool relu) {
  for (std::size_t i = 0; i < y.size(); ++i) {
    if (!bias.empty()) y[i] += bias[i / each % bias.size()];
    if (!residual.empty()) y[i] += residual[i];
    if (relu) y[i] = std::max(y[i], 0.0);
  }
}

double norm(std::span<const double> values) {
  double sum = 0;
  for (const double v : values) sum += v * v;
  return std::sqrt(sum);
}

double relative_error(std::span<const double> got, std::span<const double> want, double least) {
  if (got.size() != want.size()) return std::numeric_limits<double>::infinity();
  std::vector<double> difference(want.size());
  for (std::size_t i = 0; i < want.size(); ++i) difference[i] = got[i] - want[i];
  const double error = norm(difference), scale = std::max(norm(want), least);
  if (!std::isfinite(error)) return std::numeric_limits<double>::infinity();
  return scale > 0 ? error / scale : (error > 0 ? std::numeric_limits<double>::infinity() : 0);
}

}  // namespace bitpq_test
