// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a layer should have computed, in double precision from its decoded weights. Of a large layer 64 output rows are
// checked, one drawn at random from each 64th of them; of a small one all.

#include <bitpq/codec/layer_geometry.hpp>
#include <bitpq/core/random.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace bench {

/// Relative difference in the Frobenius norm; 1 where there are not as many values.
template <class Reference>
double relative_error(const std::vector<float>& value, const std::vector<Reference>& reference) {
  if (value.size() != reference.size()) return 1;
  double error = 0, energy = 0;
  for (std::size_t i = 0; i < value.size(); ++i) {
    const auto wanted = static_cast<double>(reference[i]), difference = static_cast<double>(value[i]) - wanted;
    error += difference * difference;
    energy += wanted * wanted;
  }
  return energy > 0 ? std::sqrt(error / energy) : std::sqrt(error);
}

class reference {
 public:
  /// Of w (rows x cols) times x (cols x columns), both row-major.
  [[nodiscard]] static reference of_product(const std::vector<float>& w, std::size_t rows, std::size_t cols,
                                            const std::vector<float>& x, std::size_t columns) {
    return {w, rows, cols, columns, [&](std::size_t k, std::vector<double>& row) {
              for (std::size_t i = 0; i < columns; ++i) row[i] = static_cast<double>(x[k * columns + i]);
            }};
  }

  /// Of a convolution without groups over a square NCHW image.
  [[nodiscard]] static reference of_convolution(const std::vector<float>& w, const bitpq::layer_geometry& g,
                                                std::size_t size, const std::vector<float>& x) {
    const bitpq::extent2 out = g.output_size({size, size});
    return {w, g.rows(), g.cols(), out.h * out.w, [&](std::size_t k, std::vector<double>& row) {
              const std::size_t c = k / g.window(), ky = k % g.window() / g.kernel.w, kx = k % g.kernel.w;
              for (std::size_t i = 0; i < row.size(); ++i) {
                // Wraps around where the window is left or above the image, and so is outside like the rest.
                const std::size_t iy = i / out.w * g.conv.stride.h + ky * g.conv.dilation.h - g.conv.padding.h;
                const std::size_t ix = i % out.w * g.conv.stride.w + kx * g.conv.dilation.w - g.conv.padding.w;
                row[i] = iy < size && ix < size ? static_cast<double>(x[(c * size + iy) * size + ix]) : 0.0;
              }
            }};
  }

  /// Relative difference, in the Frobenius norm over the checked rows, of y with the given strides.
  [[nodiscard]] double error(const float* y, std::size_t row_stride, std::size_t column_stride = 1) const {
    double error = 0, energy = 0;
    for (std::size_t i = 0; i < values_.size(); ++i) {
      const float value = y[rows_[i / columns_] * row_stride + i % columns_ * column_stride];
      error += (static_cast<double>(value) - values_[i]) * (static_cast<double>(value) - values_[i]);
      energy += values_[i] * values_[i];
    }
    return std::sqrt(error / energy);
  }

 private:
  template <class InputRow>
  reference(const std::vector<float>& w, std::size_t rows, std::size_t cols, std::size_t columns,
            const InputRow& input_row)
      : rows_(choose_rows(rows, cols * columns)), columns_(columns), values_(rows_.size() * columns) {
    std::vector<double> row(columns);
    for (std::size_t k = 0; k < cols; ++k) {
      input_row(k, row);
      for (std::size_t r = 0; r < rows_.size(); ++r) {
        const auto weight = static_cast<double>(w[rows_[r] * cols + k]);
        for (std::size_t i = 0; i < columns; ++i) values_[r * columns + i] += weight * row[i];
      }
    }
  }

  static std::vector<std::size_t> choose_rows(std::size_t rows, std::size_t cost_of_one) {
    constexpr std::size_t affordable = 40'000'000, fewest = 64;
    const std::size_t n = std::min(rows, std::max(fewest, affordable / cost_of_one));
    const bitpq::random_stream random(1, 11);
    std::vector<std::size_t> chosen(n);
    for (std::size_t i = 0; i < n; ++i) {
      const std::size_t first = i * rows / n, end = (i + 1) * rows / n;
      chosen[i] = first + random.below(i, end - first);
    }
    return chosen;
  }

  std::vector<std::size_t> rows_;
  std::size_t columns_;
  std::vector<double> values_;
};

}  // namespace bench
