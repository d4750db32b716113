// SPDX-License-Identifier: Apache-2.0
#pragma once

// Codebooks: the codewords that codes point to, in the precision that is computed with, rounded to the precision that
// is stored. What a program runs is therefore bit for bit what its file holds.

#include <bitpq/codec/rounding.hpp>
#include <bitpq/core/aligned_buffer.hpp>
#include <bitpq/core/matrix_view.hpp>

#include <limits>
#include <span>
#include <vector>

namespace bitpq {
inline namespace v1 {

/// `count()` codebooks of `codewords()` codewords of `block_size()` elements, contiguous in that order.
template <scalar T>
class codebook {
 public:
  codebook() = default;

  /// Rounds `values` (count x codewords x block_size) to `type`: fp16 to nearest even; int8 to the nearest multiple
  /// of a codebook's scale = largest magnitude / 127. Throws bad_shape when the sizes do not fit, bad_params for f64
  /// in a codebook<float>, non_finite for NaN, infinity, or a value that fp16 cannot hold.
  codebook(std::span<const T> values, std::size_t count, std::size_t codewords, std::size_t block_size,
           codeword_type type = codeword_type::f32)
      : codebook(values, count, codewords, block_size, type, nearest_scales(values, count, type)) {}

  /// An int8 codebook with given scales, one per codebook: the stored form. Throws as above, and bad_params for an
  /// element of -128 or a scale that is not positive and finite.
  [[nodiscard]] static codebook from_int8(std::span<const std::int8_t> quantized, std::span<const float> scales,
                                          std::size_t codewords, std::size_t block_size) {
    check_scales(scales);
    for (std::size_t i = 0; i < quantized.size(); ++i)
      require(quantized[i] != -128, errc::bad_params, "int8 codeword element -128 at ", i, " is outside -127 .. 127");
    std::vector<T> values(quantized.size());
    const std::size_t each = scales.empty() ? 0 : quantized.size() / scales.size();
    for (std::size_t i = 0; i < values.size() && each > 0; ++i)
      values[i] = static_cast<T>(quantized[i]) * static_cast<T>(scales[(std::min)(i / each, scales.size() - 1)]);
    return codebook(values, scales.size(), codewords, block_size, codeword_type::i8,
                    std::vector<float>(scales.begin(), scales.end()));
  }

  [[nodiscard]] std::size_t count() const noexcept { return count_; }
  [[nodiscard]] std::size_t codewords() const noexcept { return codewords_; }
  [[nodiscard]] std::size_t block_size() const noexcept { return block_size_; }
  [[nodiscard]] codeword_type type() const noexcept { return type_; }
  /// All elements, count x codewords x block_size.
  [[nodiscard]] std::span<const T> values() const noexcept { return values_.span(); }
  /// The elements of codebook b as codewords x block_size.
  [[nodiscard]] matrix_view<const T> operator[](std::size_t b) const {
    return {values_.data() + b * codewords_ * block_size_, codewords_, block_size_};
  }
  /// One scale per codebook for int8, else empty.
  [[nodiscard]] std::span<const float> scales() const noexcept { return scales_; }

  /// Element i as its stored int8, for type() == i8.
  [[nodiscard]] std::int8_t quantized(std::size_t i) const noexcept {
    return quantize(values_[i], scales_[i / (codewords_ * block_size_)]);
  }

 private:
  codebook(std::span<const T> values, std::size_t count, std::size_t codewords, std::size_t block_size,
           codeword_type type, std::vector<float> scales)
      : values_(values),
        scales_(std::move(scales)),
        count_(count),
        codewords_(codewords),
        block_size_(block_size),
        type_(type) {
    require(count > 0 && codewords > 0 && codewords <= max_codewords && block_size > 0, errc::bad_shape, "codebook of ",
            count, " x ", codewords, " codewords of ", block_size);
    const std::size_t size = checked_product(count, checked_product(codewords, block_size, "codebook"), "codebook");
    require(values.size() == size, errc::bad_shape, "codebook of ", count, " x ", codewords, " x ", block_size,
            " given ", values.size(), " values");
    require((std::same_as<T, double>) || type != codeword_type::f64, errc::bad_params,
            "f64 codewords in a codebook of float");
    require_finite(values, "codebook");
    check_scales(scales_);
    for (std::size_t i = 0; i < size; ++i) values_[i] = rounded(i);
  }

  static void check_scales(std::span<const float> scales) {
    for (std::size_t b = 0; b < scales.size(); ++b)
      require(std::isfinite(scales[b]) && scales[b] > 0, errc::bad_params, "scale ", scales[b], " of codebook ", b,
              " is not positive and finite");
  }

  static std::vector<float> nearest_scales(std::span<const T> values, std::size_t count, codeword_type type) {
    if (type != codeword_type::i8 || count > values.size()) return {};  // the latter is refused by its sizes
    std::vector<float> scales(count, 1.0F);
    const std::size_t each = count == 0 ? 0 : values.size() / count;
    for (std::size_t b = 0; b < count; ++b) {
      T largest = 0;
      for (const T v : values.subspan(b * each, each)) largest = (std::max)(largest, std::abs(v));
      const auto scale = static_cast<float>(largest / 127);
      // An all-zero codebook, or one of subnormals, has no usable scale of its own: any scale stores it as zeros.
      if (scale >= (std::numeric_limits<float>::min)()) scales[b] = scale;
    }
    return scales;
  }

  static std::int8_t quantize(T value, float scale) noexcept {
    const T q = std::round(value / static_cast<T>(scale));
    return static_cast<std::int8_t>((std::min)(T{127}, (std::max)(T{-127}, q)));
  }

  [[nodiscard]] T rounded(std::size_t i) const {
    if (type_ != codeword_type::i8) return detail::rounded_to(type_, values_[i], "codebook", i);
    const float scale = scales_[i / (codewords_ * block_size_)];
    return static_cast<T>(quantize(values_[i], scale)) * static_cast<T>(scale);
  }

  aligned_buffer<T> values_;
  std::vector<float> scales_;
  std::size_t count_ = 0;
  std::size_t codewords_ = 0;
  std::size_t block_size_ = 0;
  codeword_type type_ = codeword_type::f32;
};

}  // namespace v1
}  // namespace bitpq
