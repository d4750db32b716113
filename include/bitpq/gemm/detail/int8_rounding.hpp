// SPDX-License-Identifier: Apache-2.0
#pragma once

// Codewords as whole multiples of one unit for the whole matrix: sums of codewords of different codebooks and stages
// are then of one unit, and nothing is rounded before the end of a row.

#include <bitpq/codec/pq_matrix.hpp>
#include <bitpq/kernel/int8_layout.hpp>

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

namespace bitpq {
inline namespace v1 {
namespace detail {

/// Elements that are rounded together: a word of bytes.
inline constexpr std::size_t int8_word_elements = 4;
/// Of so many words that a matrix reads, one may be read again for what a byte does not hold of it.
inline constexpr std::size_t words_per_extra_word = 128;

/// How far codewords reach, and how often that is felt.
struct codeword_reach {
  std::vector<float> largest;      ///< of each word of int8_word_elements elements, zero where no row has it
  std::vector<std::size_t> words;  ///< how often rows read it
  std::size_t all_words = 0;       ///< that rows read
  double row = 0;                  ///< what the magnitudes of a row's elements add up to, at the most
};

/// O(codes).
inline codeword_reach reach_of(const pq_matrix<float>& w) {
  const code_format& format = w.format();
  const std::span<const float> values = w.book().values();
  const std::size_t d = format.block_size, each = ceil_div(d, int8_word_elements);
  const std::size_t count = format.books() * format.codewords;
  std::vector<std::size_t> used(count);
  std::vector<double> sizes(count);
  for (std::size_t i = 0; i < count * d; ++i) sizes[i / d] += std::abs(static_cast<double>(values[i]));
  codeword_reach reach{std::vector<float>(count * each), std::vector<std::size_t>(count * each), format.codes() * each,
                       0};
  std::vector<std::uint16_t> row(format.row_codes());
  for (std::size_t r = 0; r < format.rows; ++r) {
    w.codes().unpack(r * row.size(), std::span<std::uint16_t>(row));
    double size = 0;
    for (std::size_t p = 0; p < row.size(); ++p) {
      const std::size_t word = format.book_of(p / format.blocks(), p % format.blocks()) * format.codewords + row[p];
      ++used[word];
      size += sizes[word];
    }
    reach.row = (std::max)(reach.row, size);
  }
  for (std::size_t i = 0; i < count * d; ++i) {
    const std::size_t word = i / d * each + i % d / int8_word_elements;
    if (used[i / d] == 0) continue;
    reach.largest[word] = (std::max)(reach.largest[word], std::abs(values[i]));
    reach.words[word] = used[i / d];
  }
  return reach;
}

/// The unit of a matrix. Codebooks have few large elements: a unit of which 127 make the largest would leave the many
/// others little of a byte. It is as small as `words_per_extra_word` allows: what a byte does not hold of an element is
/// added in a word of its own, see int8_book. Zero where all elements are.
inline float int8_unit(const codeword_reach& reach, std::size_t columns) noexcept {
  const float largest = *std::max_element(reach.largest.begin(), reach.largest.end());
  const auto affordable = [&](float unit) {
    if (reach.row / static_cast<double>(unit) + static_cast<double>(columns) > max_int8_row) return false;
    double extra = 0;
    for (std::size_t i = 0; i < reach.words.size(); ++i) {
      const float units = std::nearbyint(reach.largest[i] / unit);
      if (units > 127) extra += static_cast<double>(reach.words[i]) * (std::ceil(static_cast<double>(units) / 127) - 1);
    }
    return extra * static_cast<double>(words_per_extra_word) <= static_cast<double>(reach.all_words);
  };
  constexpr float finer = 0.917F;  // eight steps halve the unit
  float unit = largest / 127;
  for (int step = 0; step < 80 && unit > 1e-30F && affordable(unit * finer); ++step) unit *= finer;
  return unit;
}

/// The elements of a codeword in units; beyond `most`, where only codewords that no row has are, they are cut off.
/// Inputs that have passed a ReLU have a mean, so that what a codeword's rounding errors e add up to counts beside each
/// of them: lessens, by at most one change of each from the nearest multiples, sum e^2 + r (sum e)^2, where
/// r = 1 / (pi - 1) is mean^2 / variance of a rectified Gaussian.
inline void round_codeword(std::span<const float> values, float unit, std::int32_t most, std::span<std::int32_t> to) {
  constexpr float together = 0.467F;
  const auto limit = static_cast<float>(most);
  const auto in_units = [&](std::size_t i) { return unit > 0 ? std::clamp(values[i] / unit, -limit, limit) : 0.0F; };
  const auto error = [&](std::size_t i) { return static_cast<float>(to[i]) - in_units(i); };
  float sum = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    to[i] = static_cast<std::int32_t>(std::nearbyint(in_units(i)));
    sum += error(i);
  }
  // Counted, for a change and its reversal may both seem to gain what float rounds away.
  for (std::size_t changes = 0; changes < values.size(); ++changes) {
    const std::int32_t step = sum > 0 ? -1 : 1;
    std::size_t best = values.size();
    float gain = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (std::abs(to[i] + step) > most) continue;
      const float less = -2 * error(i) * static_cast<float>(step) - 1 + together * (2 * std::abs(sum) - 1);
      if (less > gain) {
        best = i;
        gain = less;
      }
    }
    if (best == values.size()) return;
    to[best] += step;
    sum += static_cast<float>(step);
  }
}

}  // namespace detail
}  // namespace v1
}  // namespace bitpq
