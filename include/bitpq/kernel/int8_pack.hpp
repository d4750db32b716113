// SPDX-License-Identifier: Apache-2.0
#pragma once

// Around the 8-bit micro-kernel: from activations to words and from sums to floats. Activations are first rounded to
// rows of bytes, one row per step of the depth, and then packed into words in the order in which the micro-kernel reads
// them.

#include <bitpq/kernel/arguments.hpp>
#include <bitpq/kernel/int8_layout.hpp>
#include <bitpq/kernel/int8_neon.hpp>
#include <bitpq/kernel/int8_x86.hpp>
#include <bitpq/kernel/interleave.hpp>

#include <cstring>

namespace bitpq {
inline namespace v1 {
namespace detail {

/// The least and the largest x seen by each lane; NaN once an x was not finite.
template <class Arch>
struct range_of {
  using s = simd<float, Arch>;
  typename s::vec least = s::set(0.0F), largest = s::set(0.0F);
  typename s::vec finite = s::set(0.0F);  ///< the sum of x * 0: zero, or NaN

  BITPQ_FORCE_INLINE void see(const typename s::vec& x) noexcept {
    least = s::select(s::less(x, least), x, least);
    largest = s::select(s::less(largest, x), x, largest);
    finite = s::fma(x, s::set(0.0F), finite);
  }
  [[nodiscard]] BITPQ_FORCE_INLINE typename s::vec low() const noexcept { return s::add(least, finite); }
  [[nodiscard]] BITPQ_FORCE_INLINE typename s::vec high() const noexcept { return s::add(largest, finite); }
};

/// lows[c] and highs[c] of Vectors vectors of columns.
template <class Arch, std::size_t Vectors>
BITPQ_FORCE_INLINE void range_columns(const float* BITPQ_RESTRICT src, std::ptrdiff_t row_stride, std::size_t rows,
                                      float* BITPQ_RESTRICT lows, float* BITPQ_RESTRICT highs) noexcept {
  using s = simd<float, Arch>;
  range_of<Arch> range[Vectors];
  BITPQ_UNROLL
  for (std::size_t v = 0; v < Vectors; ++v) {
    range[v].least = s::load(lows + v * s::size);
    range[v].largest = s::load(highs + v * s::size);
  }
  for (std::size_t k = 0; k < rows; ++k, src += row_stride) {
    BITPQ_UNROLL
    for (std::size_t v = 0; v < Vectors; ++v) range[v].see(s::load(src + v * s::size));
  }
  BITPQ_UNROLL
  for (std::size_t v = 0; v < Vectors; ++v) {
    s::store(lows + v * s::size, range[v].low());
    s::store(highs + v * s::size, range[v].high());
  }
}

/// dst[i] = src[i * step] quantized, i < n <= lanes.
template <class Arch>
BITPQ_FORCE_INLINE void quantize_few(const float* src, std::ptrdiff_t step, std::size_t n,
                                     typename int8_vectors<Arch>::floats inverse, typename int8_vectors<Arch>::vec zero,
                                     std::uint8_t* dst) noexcept {
  using v8 = int8_vectors<Arch>;
  float values[v8::lanes] = {};
  std::uint8_t bytes[v8::lanes];
  for (std::size_t i = 0; i < n; ++i) values[i] = src[static_cast<std::ptrdiff_t>(i) * step];
  v8::quantize(values, inverse, zero, bytes);
  for (std::size_t i = 0; i < n; ++i) dst[i] = bytes[i];
}

/// dst[i] = src[i * Step] quantized, i < n, for a step of 1 or 2.
template <class Arch, std::size_t Step>
BITPQ_FORCE_INLINE void quantize_run(const float* src, std::size_t n, typename int8_vectors<Arch>::floats inverse,
                                     typename int8_vectors<Arch>::vec zero, std::uint8_t* dst) noexcept {
  using v8 = int8_vectors<Arch>;
  if constexpr (requires { v8::template quantize_some<Step>(src, n, inverse, zero, dst); }) {
    for (std::size_t i = 0; i < n; i += v8::lanes)
      v8::template quantize_some<Step>(src + i * Step, n - i < v8::lanes ? n - i : v8::lanes, inverse, zero, dst + i);
  } else {
    const auto vector = [&](std::size_t i) {
      float values[v8::lanes];
      simd<float, Arch>::store(values, load_every<Step, float, Arch>(src + i * Step));
      v8::quantize(values, inverse, zero, dst + i);
    };
    constexpr std::size_t spare = Step - 1;  // a vector of every second element reads one beyond its last
    std::size_t i = 0;
    for (; i + v8::lanes + spare <= n; i += v8::lanes) vector(i);
    if (i > 0 && i + spare < n) {  // the last vector overlaps the one before
      i = n - spare;
      vector(i - v8::lanes);
    }
    for (; i < n; i += v8::lanes)
      quantize_few<Arch>(src + i * Step, Step, n - i < v8::lanes ? n - i : v8::lanes, inverse, zero, dst + i);
  }
}

}  // namespace detail

/// The range of `so_far` and of src[i * step], i < n.
template <class Arch>
int8_range int8_range_of(const float* src, std::ptrdiff_t step, std::size_t n, int8_range so_far) noexcept {
  using s = simd<float, Arch>;
  detail::range_of<scalar_arch> all{so_far.low, so_far.high};
  if (step != 1 || n < s::size) {
    for (std::size_t i = 0; i < n; ++i) all.see(src[static_cast<std::ptrdiff_t>(i) * step]);
    return {all.low(), all.high()};
  }
  detail::range_of<Arch> even{s::set(so_far.low), s::set(so_far.high)}, odd = even;
  for (std::size_t i = 0; i < n; i += 2 * s::size) {  // the last vectors overlap those before
    const std::size_t last = n - s::size, next = i + s::size;
    even.see(s::load(src + (i < last ? i : last)));
    odd.see(s::load(src + (next < last ? next : last)));
  }
  float lanes[4 * s::size];
  s::store(lanes, even.low());
  s::store(lanes + s::size, even.high());
  s::store(lanes + 2 * s::size, odd.low());
  s::store(lanes + 3 * s::size, odd.high());
  for (const float lane : lanes) all.see(lane);
  return {all.low(), all.high()};
}

/// The same of each column: lows[c] and highs[c] over src[k * row_stride + c], k < rows.
template <class Arch>
void int8_column_ranges(const float* BITPQ_RESTRICT src, std::ptrdiff_t row_stride, std::size_t rows,
                        std::size_t columns, float* BITPQ_RESTRICT lows, float* BITPQ_RESTRICT highs) noexcept {
  constexpr std::size_t size = simd<float, Arch>::size;
  std::size_t c = 0;
  for (; c + 4 * size <= columns; c += 4 * size)
    detail::range_columns<Arch, 4>(src + c, row_stride, rows, lows + c, highs + c);
  for (; c + size <= columns; c += size) detail::range_columns<Arch, 1>(src + c, row_stride, rows, lows + c, highs + c);
  for (; c < columns; ++c) detail::range_columns<scalar_arch, 1>(src + c, row_stride, rows, lows + c, highs + c);
}

/// For each run, dst[to + i] = src[from + i * step] in unit `image`, i < length. Touches nothing else.
template <class Arch>
void int8_quantize_runs(const float* BITPQ_RESTRICT src, std::ptrdiff_t step, const copy_run* runs, std::size_t count,
                        const int8_units& units, std::uint8_t* BITPQ_RESTRICT dst) noexcept {
  using v8 = int8_vectors<Arch>;
  for (const copy_run* run = runs; run != runs + count; ++run) {
    const auto inverse = v8::set(units.inverses[run->image]);
    const auto zero = v8::set(static_cast<std::uint32_t>(units.zeros[run->image]));
    const float* const from = src + run->from;
    if (step == 1)
      detail::quantize_run<Arch, 1>(from, run->length, inverse, zero, dst + run->to);
    else if (step == 2)
      detail::quantize_run<Arch, 2>(from, run->length, inverse, zero, dst + run->to);
    else
      for (std::size_t i = 0; i < run->length; i += v8::lanes)
        detail::quantize_few<Arch>(from + static_cast<std::ptrdiff_t>(i) * step, step,
                                   run->length - i < v8::lanes ? run->length - i : v8::lanes, inverse, zero,
                                   dst + run->to + i);
  }
}

/// dst[k * ld + c] = src[k * row_stride + c] in unit c, for k < rows, c < n.
template <class Arch>
void int8_quantize_rows(const float* BITPQ_RESTRICT src, std::ptrdiff_t row_stride, const int8_units& units,
                        std::uint8_t* BITPQ_RESTRICT dst, std::size_t ld, std::size_t rows, std::size_t n) noexcept {
  using v8 = int8_vectors<Arch>;
  for (std::size_t k = 0; k < rows; ++k, src += row_stride, dst += ld) {
    std::size_t c = 0;
    for (; c + v8::lanes <= n; c += v8::lanes)
      v8::quantize(src + c, v8::load(units.inverses + c), v8::load(units.zeros + c), dst + c);
    for (; c < n; ++c)
      detail::quantize_few<scalar_arch>(src + c, 1, 1, units.inverses[c], static_cast<std::uint32_t>(units.zeros[c]),
                                        dst + c);
  }
}

/// copy_runs of bytes; up to 4 * lanes - 1 of them are read and written after each run.
template <class Arch>
void int8_copy_runs(const std::uint8_t* BITPQ_RESTRICT src, const std::size_t* offsets, std::size_t rows,
                    const copy_run* runs, std::size_t count, std::uint8_t* BITPQ_RESTRICT dst,
                    std::size_t ld) noexcept {
  constexpr std::size_t size = 4 * int8_vectors<Arch>::lanes;
  for (std::size_t row = 0; row < rows; ++row, dst += ld)
    for (const copy_run* run = runs; run != runs + count; ++run) {
      const std::uint8_t* const from = src + offsets[row] + run->from;
      for (std::size_t i = 0; i < run->length; i += size) {
        std::memcpy(dst + run->to + i, from + i, size);
        keep_loop();
      }
    }
}

/// Packs `columns` columns of `depth` rows of bytes at stride ld, in blocks of d, into word_layout::of_column rows of
/// words at stride ldw. Whole vectors are read and written. Where a last block or a last shared word has no row, the
/// packed elements are zero.
template <class Arch>
void int8_pack(const std::uint8_t* BITPQ_RESTRICT src, std::size_t ld, std::size_t depth, std::size_t d,
               std::size_t columns, std::uint32_t* BITPQ_RESTRICT words, std::size_t ldw) noexcept {
  using v8 = int8_vectors<Arch>;
  const word_layout layout(v8::group, d);
  std::uint8_t zeros[v8::lanes];
  for (std::uint8_t& zero : zeros) zero = v8::subtrahend;
  const std::uint8_t* rows[v8::group];
  std::size_t filled = 0;
  const auto take = [&](std::size_t k, std::size_t end) {  // row k, if it is below `end`
    rows[filled++] = k < end && k < depth ? src + k * ld : nullptr;
  };
  const auto write_words = [&] {
    for (; filled < v8::group; ++filled) rows[filled] = nullptr;
    for (std::size_t c = 0; c < columns; c += v8::lanes) {
      const std::uint8_t* at[v8::group];
      BITPQ_UNROLL
      for (std::size_t g = 0; g < v8::group; ++g) at[g] = rows[g] == nullptr ? zeros : rows[g] + c;
      v8::pack(at, 0, words + c);
    }
    words += ldw;
    filled = 0;
  };
  for (std::size_t block = 0; block < depth;) {
    const std::size_t first = block;
    for (std::size_t s = 0; s < layout.share && block < depth; ++s, block += d)
      for (std::size_t w = 0; w < layout.whole; ++w) {
        for (std::size_t g = 0; g < v8::group; ++g) take(block + w * v8::group + g, block + d);
        write_words();
      }
    if (layout.share == 1) continue;
    for (std::size_t s = 0; s < layout.share; ++s)
      for (std::size_t i = d - layout.rest; i < d; ++i) take(first + s * d + i, depth);
    write_words();
  }
}

/// dst[r * ld + c] = (sums[r * ld + c] - (zeros[c] - subtrahend) * weights[r]) * scales[c]; whole vectors of all but
/// the weights are touched.
template <class Arch>
void int8_dequantize(const std::int32_t* BITPQ_RESTRICT sums, std::size_t ld, std::size_t rows, std::size_t columns,
                     const std::int32_t* weights, const std::int32_t* zeros, const float* scales,
                     float* BITPQ_RESTRICT dst) noexcept {
  using v8 = int8_vectors<Arch>;
  for (std::size_t r = 0; r < rows; ++r, sums += ld, dst += ld) {
    const auto weight = v8::set(static_cast<std::uint32_t>(weights[r]));
    for (std::size_t c = 0; c < columns; c += v8::lanes)
      v8::dequantize(v8::load(sums + c), v8::load(zeros + c), weight, v8::load(scales + c), dst + c);
  }
}

}  // namespace v1
}  // namespace bitpq
