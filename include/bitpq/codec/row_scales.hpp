// SPDX-License-Identifier: Apache-2.0
#pragma once

// A factor for each row of a compressed matrix: rows of small weights then draw from the same codewords as rows of
// large ones, for 16 bits a row.

#include <bitpq/codec/rounding.hpp>
#include <bitpq/core/aligned_buffer.hpp>
#include <bitpq/core/matrix_view.hpp>

#include <optional>
#include <span>

namespace bitpq {
inline namespace v1 {

/// One number per row, in the precision that is computed with, rounded to the precision that is stored; or none.
template <scalar T>
class row_scales {
 public:
  /// None: every row counts as it is.
  row_scales() = default;

  /// Rounds to f16 or f32. Throws bad_params for another type, non_finite for NaN, infinity, or what f16 cannot hold.
  explicit row_scales(std::span<const T> values, codeword_type type = codeword_type::f16)
      : values_(values), type_(type) {
    require(type == codeword_type::f16 || type == codeword_type::f32, errc::bad_params, "row scales stored as ",
            to_string(type), ", not f16 or f32");
    require_finite(values, "row scale");
    for (std::size_t r = 0; r < values_.size(); ++r) values_[r] = detail::rounded_to(type, values_[r], "row scale", r);
  }

  [[nodiscard]] bool empty() const noexcept { return values_.empty(); }
  [[nodiscard]] std::size_t size() const noexcept { return values_.size(); }
  [[nodiscard]] std::span<const T> values() const noexcept { return values_.span(); }
  /// How they are stored; nothing where there are none.
  [[nodiscard]] std::optional<codeword_type> type() const noexcept {
    return empty() ? std::nullopt : std::optional(type_);
  }
  /// The factor of row r: 1 where there are none.
  [[nodiscard]] T operator[](std::size_t r) const noexcept { return empty() ? T{1} : values_[r]; }

 private:
  aligned_buffer<T> values_;
  codeword_type type_ = codeword_type::f16;
};

}  // namespace v1
}  // namespace bitpq
