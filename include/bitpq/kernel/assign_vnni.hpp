// SPDX-License-Identifier: Apache-2.0
#pragma once

// Nearest codewords by products of 16-bit integers, two multiply-adds per lane and instruction, with a proof: an
// integer score is off by no more than a bound that is known for each point, so where the second-best score is farther
// off than twice that, the best one is the one that floats would find. The few points without proof are computed again
// in floats. The codes are therefore those of the float kernel.
//
// With the point x and the codeword c about the origin, scaled, and rounded to x + a and c + b, |a_i| and |b_i| <= 1/2:
//   |(x + a).(c + b) - x.c| <= |x||b| + |a||c + b| <= sqrt(d) / 2 (|x| + |c| + sqrt(d) / 2).

#include <bitpq/kernel/assign_tile.hpp>

#if defined(__AVX512VNNI__)
#include <immintrin.h>
#endif

namespace bitpq {
inline namespace v1 {
namespace detail {

/// Instruction sets without such products leave all points to floats.
template <scalar T, class Arch>
struct nearest_by_integers {
  static BITPQ_FORCE_INLINE std::size_t scratch(std::size_t, std::size_t) noexcept { return 0; }
  /// Writes codes of the first points and returns how many.
  static BITPQ_FORCE_INLINE std::size_t run(const T*, std::ptrdiff_t, std::size_t, const nearest_words<T>&, T*,
                                            std::uint16_t*) noexcept {
    return 0;
  }
};

#if defined(__AVX512VNNI__)

/// The integers of one call. Codewords at 2^14 and points at 2^15 for the largest norm keep scores below 2^30.
template <class Arch>
class integer_scores {
 public:
  static constexpr std::size_t width = 64, vectors = 4;  ///< points of a tile
  static constexpr int limit = 1 << 30;                  ///< beyond every score; that of the padding

  BITPQ_FORCE_INLINE integer_scores(const nearest_words<float>& words, float* scratch) noexcept
      : words_(words),
        pairs_((words.d + 1) / 2),
        tile_(scratch),
        points_(reinterpret_cast<std::int32_t*>(tile_ + 2 * pairs_ * width)),
        rounded_(points_ + pairs_ * width),
        halves_(rounded_ + pairs_ * words.padded),
        root_(_mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(static_cast<float>(words.d))))) {
    while ((std::size_t{1} << index_bits_) < words.padded) ++index_bits_;
    round_words();
  }
  static BITPQ_FORCE_INLINE std::size_t scratch(std::size_t padded, std::size_t d) noexcept {
    const std::size_t pairs = (d + 1) / 2;
    return 3 * pairs * width + pairs * padded + (padded + 15) / 16 * 16;
  }

  /// False when all codewords are the origin.
  [[nodiscard]] BITPQ_FORCE_INLINE bool usable() const noexcept { return largest_word_ > 0; }
  [[nodiscard]] BITPQ_FORCE_INLINE float* tile() const noexcept { return tile_; }

  /// Rounds the points of the tile. False when their size does not suit.
  BITPQ_FORCE_INLINE bool round_points() noexcept {
    if (words_.d % 2 != 0)
      for (std::size_t v = 0; v < vectors; ++v)
        _mm512_storeu_ps(tile_ + words_.d * width + 16 * v, _mm512_setzero_ps());
    BITPQ_UNROLL
    for (std::size_t v = 0; v < vectors; ++v) norms_[v] = _mm512_setzero_ps();
    for (std::size_t i = 0; i < words_.d; ++i) {
      BITPQ_UNROLL
      for (std::size_t v = 0; v < vectors; ++v) {
        const __m512 x = _mm512_loadu_ps(tile_ + i * width + 16 * v);
        norms_[v] = _mm512_fmadd_ps(x, x, norms_[v]);
      }
    }
    const __m512 most = _mm512_max_ps(_mm512_max_ps(norms_[0], norms_[1]), _mm512_max_ps(norms_[2], norms_[3]));
    const float points = _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(_mm512_reduce_max_ps(most))));
    const float codewords = 2 * largest_half_ / largest_word_;  // the largest norm, in the units of the points
    const float largest = points < codewords ? codewords : points;
    if (!(largest > 0x1p-50F && largest < 0x1p50F)) return false;
    scale_ = 32766 / largest;
    const __m512 scale = _mm512_set1_ps(scale_), half_scale = _mm512_set1_ps(scale_ * (16383 / largest_word_));
    for (std::size_t j = 0; j < pairs_ * vectors; ++j) {
      const float* const from = tile_ + j / vectors * 2 * width + j % vectors * 16;
      _mm512_storeu_si512(points_ + j * 16, pack(_mm512_mul_ps(_mm512_loadu_ps(from), scale),
                                                 _mm512_mul_ps(_mm512_loadu_ps(from + width), scale)));
    }
    const __m512 beyond = _mm512_set1_ps(static_cast<float>(limit));
    for (std::size_t k = 0; k < words_.padded; k += 16) {
      const __m512 half = _mm512_mul_ps(load_halves(k), half_scale);
      _mm512_storeu_si512(halves_ + k, _mm512_cvtps_epi32(_mm512_min_ps(half, beyond)));
    }
    return true;
  }

  /// Codes of the tile; returns for which points they are not proven. Not inlined: the loop needs every register.
  BITPQ_NO_INLINE std::uint64_t assign(std::uint16_t* BITPQ_RESTRICT codes) const noexcept {
    const std::size_t pairs = pairs_, padded = words_.padded;
    const std::int32_t* const points = points_;
    const std::int32_t* const halves = halves_;
    const __m512i index_mask = _mm512_set1_epi32((1 << index_bits_) - 1);
    __m512i best[vectors], second[vectors], index = _mm512_setzero_si512();
    BITPQ_UNROLL
    for (std::size_t v = 0; v < vectors; ++v) best[v] = second[v] = _mm512_set1_epi32(limit);
    const std::int32_t* words = rounded_;
    for (std::size_t k = 0; k < padded; k += nearest_group) {
      __m512i score[nearest_group][vectors];
      BITPQ_UNROLL
      for (std::size_t c = 0; c < nearest_group; ++c) {
        BITPQ_UNROLL
        for (std::size_t v = 0; v < vectors; ++v) score[c][v] = _mm512_set1_epi32(halves[k + c]);
      }
      const std::int32_t* x = points;
      for (std::size_t j = 0; j < pairs; ++j, x += width, words += nearest_group) {
        __m512i element[vectors];
        BITPQ_UNROLL
        for (std::size_t v = 0; v < vectors; ++v) element[v] = _mm512_loadu_si512(x + 16 * v);
        BITPQ_UNROLL
        for (std::size_t c = 0; c < nearest_group; ++c) {
          const __m512i word = _mm512_set1_epi32(words[c]);
          BITPQ_UNROLL
          for (std::size_t v = 0; v < vectors; ++v) score[c][v] = _mm512_dpwssd_epi32(score[c][v], element[v], word);
        }
      }
      BITPQ_UNROLL
      for (std::size_t c = 0; c < nearest_group; ++c) {
        BITPQ_UNROLL
        for (std::size_t v = 0; v < vectors; ++v) {
          const __m512i s = _mm512_ternarylogic_epi32(index_mask, score[c][v], index, 0xAE);  // (s & ~mask) | index
          second[v] = _mm512_min_epi32(second[v], _mm512_max_epi32(best[v], s));
          best[v] = _mm512_min_epi32(best[v], s);
        }
        index = _mm512_add_epi32(index, _mm512_set1_epi32(1));
      }
    }
    std::uint64_t open = 0;
    BITPQ_UNROLL
    for (std::size_t v = 0; v < vectors; ++v) {
      const __m512i gap = _mm512_sub_epi32(second[v], best[v]);
      open |= std::uint64_t{_mm512_cmple_epi32_mask(gap, margin(v))} << (16 * v);
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(codes + 16 * v),
                          _mm512_cvtepi32_epi16(_mm512_and_si512(best[v], index_mask)));
    }
    return open;
  }

 private:
  /// Neighbouring elements as pairs of 16 bits.
  static BITPQ_FORCE_INLINE __m512i pack(__m512 even, __m512 odd) noexcept {
    return _mm512_or_si512(_mm512_and_si512(_mm512_cvtps_epi32(even), _mm512_set1_epi32(0xFFFF)),
                           _mm512_slli_epi32(_mm512_cvtps_epi32(odd), 16));
  }
  BITPQ_FORCE_INLINE __m512 load_halves(std::size_t k) const noexcept {
    const std::size_t left = words_.padded - k;
    const __mmask16 there = static_cast<__mmask16>(left < 16 ? (1U << left) - 1 : 0xFFFFU);
    return _mm512_maskz_loadu_ps(there, words_.half_norms + k);
  }

  /// Groups are four codewords wide, so a vector holds an element of one group.
  BITPQ_FORCE_INLINE void round_words() noexcept {
    static_assert(nearest_group == 4);
    const std::size_t d = words_.d, groups = words_.padded / nearest_group;
    __m128 norm = _mm_setzero_ps();
    for (std::size_t g = 0; g < groups; ++g) {
      __m128 squares = _mm_setzero_ps();
      for (std::size_t i = 0; i < d; ++i) {
        const __m128 x = _mm_loadu_ps(words_.words + (g * d + i) * 4);
        squares = _mm_fmadd_ps(x, x, squares);
      }
      norm = _mm_max_ps(norm, squares);
    }
    largest_word_ = _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(_mm512_reduce_max_ps(_mm512_broadcast_f32x4(norm)))));
    if (!usable()) return;
    for (std::size_t k = 0; k < words_.padded; ++k) {
      const float half = words_.half_norms[k];
      if (half > largest_half_ && half <= (std::numeric_limits<float>::max)()) largest_half_ = half;
    }
    const __m128 scale = _mm_set1_ps(16383 / largest_word_);
    std::int32_t* to = rounded_;
    for (std::size_t g = 0; g < groups; ++g) {
      const float* from = words_.words + g * d * 4;
      for (std::size_t i = 0; i < d; i += 2, from += 8, to += 4) {
        const __m128i even = _mm_cvtps_epi32(_mm_mul_ps(_mm_loadu_ps(from), scale));
        __m128i odd = _mm_setzero_si128();
        if (i + 1 < d) odd = _mm_cvtps_epi32(_mm_mul_ps(_mm_loadu_ps(from + 4), scale));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(to),
                         _mm_or_si128(_mm_and_si128(even, _mm_set1_epi32(0xFFFF)), _mm_slli_epi32(odd, 16)));
      }
    }
  }

  /// What the two best scores must differ by more than: twice the bound above, with 2 % for the rounding of the scaled
  /// elements; rounding of the half norms and of the float kernel, 48 per operation; the bits of the index.
  BITPQ_FORCE_INLINE __m512i margin(std::size_t v) const noexcept {
    const __m512 norm = _mm512_mul_ps(_mm512_sqrt_ps(norms_[v]), _mm512_set1_ps(scale_));
    const __m512 norms = _mm512_add_ps(norm, _mm512_set1_ps(16384 + root_));
    const float rest = 256 * static_cast<float>(words_.d + 1) + 64 + static_cast<float>(1 << index_bits_);
    return _mm512_cvtps_epi32(_mm512_fmadd_ps(norms, _mm512_set1_ps(1.02F * root_), _mm512_set1_ps(rest)));
  }

  const nearest_words<float>& words_;
  std::size_t pairs_;
  float* tile_;            // 2 * pairs x width
  std::int32_t* points_;   // pairs x width
  std::int32_t* rounded_;  // as words_.words, pairs instead of elements
  std::int32_t* halves_;   // padded, up to whole vectors
  float root_;             // of d
  int index_bits_ = 0;
  float largest_word_ = 0, largest_half_ = 0;
  __m512 norms_[vectors];  // of the points, squared
  float scale_ = 0;
};

template <>
struct nearest_by_integers<float, avx512vnni_arch> {
  using scores_type = integer_scores<avx512vnni_arch>;
  static constexpr std::size_t width = scores_type::width;

  /// Where it measures faster: rounding the codewords and computing some points again has its price.
  static BITPQ_FORCE_INLINE bool serves(std::size_t padded, std::size_t d) noexcept { return d >= 4 && padded >= 32; }
  static BITPQ_FORCE_INLINE std::size_t scratch(std::size_t padded, std::size_t d) noexcept {
    return serves(padded, d) ? scores_type::scratch(padded, d) : 0;
  }

  static BITPQ_FORCE_INLINE std::size_t run(const float* points, std::ptrdiff_t stride, std::size_t n,
                                            const nearest_words<float>& words, float* scratch,
                                            std::uint16_t* codes) noexcept {
    if (n < width || !serves(words.padded, words.d)) return 0;
    scores_type scores(words, scratch);
    if (!scores.usable()) return 0;
    std::size_t open[2 * width], waiting = 0;  // points without proof
    std::size_t p = 0;
    for (; p + width <= n; p += width) {
      const strided_rows<float> rows{points + static_cast<std::ptrdiff_t>(p) * stride, stride};
      fill_tile<float, width>(rows, width, words, scores.tile());
      std::uint64_t left = ~std::uint64_t{0};
      if (scores.round_points()) left = scores.assign(codes + p);
      for (; left != 0; left &= left - 1) open[waiting++] = p + static_cast<std::size_t>(__builtin_ctzll(left));
      if (waiting < width) continue;
      waiting -= width;
      in_floats(points, stride, open + waiting, width, words, scratch, codes);
    }
    for (std::size_t done = 0; done < waiting; done += 16)
      in_floats(points, stride, open + done, waiting - done < 16 ? waiting - done : 16, words, scratch, codes);
    return p;
  }

 private:
  /// The codes of n <= width points.
  static BITPQ_FORCE_INLINE void in_floats(const float* points, std::ptrdiff_t stride, const std::size_t* listed,
                                           std::size_t n, const nearest_words<float>& words, float* tile,
                                           std::uint16_t* codes) noexcept {
    const auto row = [&](std::size_t p) { return points + static_cast<std::ptrdiff_t>(listed[p]) * stride; };
    std::uint16_t found[width];
    if (n > 16) {
      fill_tile<float, width>(row, n, words, tile);
      nearest_of_tile<float, avx512vnni_arch, 4>(tile, words, n, found);
    } else {
      fill_tile<float, 16>(row, n, words, tile);
      nearest_of_tile<float, avx512vnni_arch, 1>(tile, words, n, found);
    }
    for (std::size_t p = 0; p < n; ++p) codes[listed[p]] = found[p];
  }
};

#endif

}  // namespace detail
}  // namespace v1
}  // namespace bitpq
