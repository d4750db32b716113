// SPDX-License-Identifier: Apache-2.0
#pragma once

// Arrays in awkward memory layouts, with guard values everywhere between and around their elements: what writes beside
// its output is found. Values go in and out in logical order, the last index fastest.

#include <bitpq/core/matrix_view.hpp>
#include <bitpq/core/nchw_view.hpp>

#include <array>
#include <span>
#include <vector>

namespace bitpq_test {

enum class layout {
  dense,          ///< the last index fastest, no gaps
  transposed,     ///< the first index fastest, no gaps
  padded,         ///< dense, with a gap after each run of the last index
  spread,         ///< every second element
  reversed,       ///< dense with all strides negative
  channels_last,  ///< of four indices (n, c, h, w), c fastest; of two, as transposed
};

inline constexpr std::array all_layouts{layout::dense,  layout::transposed, layout::padded,
                                        layout::spread, layout::reversed,   layout::channels_last};

template <std::size_t N>
std::array<std::ptrdiff_t, N> strides_of(const std::array<std::size_t, N>& extents, layout order) {
  std::array<std::size_t, N> from_fastest{};
  for (std::size_t i = 0; i < N; ++i) from_fastest[i] = order == layout::transposed ? i : N - 1 - i;
  if (order == layout::channels_last) {
    if constexpr (N == 4) from_fastest = {1, 3, 2, 0};
    if constexpr (N == 2) from_fastest = {0, 1};
  }
  std::array<std::ptrdiff_t, N> strides{};
  std::ptrdiff_t stride = order == layout::spread ? 2 : 1;
  for (std::size_t i = 0; i < N; ++i) {
    strides[from_fastest[i]] = order == layout::reversed ? -stride : stride;
    stride *= static_cast<std::ptrdiff_t>(extents[from_fastest[i]]);
    if (order == layout::padded && i == 0) stride += 3;
  }
  return strides;
}

template <class T, std::size_t N>
class guarded_array {
 public:
  guarded_array(const std::array<std::size_t, N>& extents, layout order)
      : extents_(extents), strides_(strides_of(extents, order)) {
    std::ptrdiff_t below = 0, above = 0;
    for (std::size_t i = 0; i < N; ++i) {
      const std::ptrdiff_t reach = strides_[i] * (static_cast<std::ptrdiff_t>(extents_[i]) - 1);
      (reach < 0 ? below : above) += reach;
    }
    origin_ = static_cast<std::size_t>(margin - below);
    storage_.assign(static_cast<std::size_t>(above - below + 1 + 2 * margin), guard);
  }
  guarded_array(const std::array<std::size_t, N>& extents, layout order, std::span<const T> values)
      : guarded_array(extents, order) {
    std::size_t i = 0;
    for_each([&](std::size_t at) { storage_[at] = values[i++]; });
  }

  [[nodiscard]] T* origin() noexcept { return storage_.data() + origin_; }
  [[nodiscard]] const std::array<std::size_t, N>& extents() const noexcept { return extents_; }
  [[nodiscard]] const std::array<std::ptrdiff_t, N>& strides() const noexcept { return strides_; }

  [[nodiscard]] std::vector<T> values() const {
    std::vector<T> all;
    for_each([&](std::size_t at) { all.push_back(storage_[at]); });
    return all;
  }

  /// Whether all that is no element still holds the guard value.
  [[nodiscard]] bool intact() const {
    std::vector<T> others = storage_;
    for_each([&](std::size_t at) { others[at] = guard; });
    for (const T value : others)
      if (value != guard) return false;
    return true;
  }

  static constexpr T guard = T{12345};

 private:
  static constexpr std::ptrdiff_t margin = 70;  // more than a panel of any instruction set

  template <class F>
  void for_each(F&& f) const {
    std::size_t count = 1;
    for (const std::size_t extent : extents_) count *= extent;
    for (std::size_t i = 0; i < count; ++i) {
      auto at = static_cast<std::ptrdiff_t>(origin_);
      std::size_t rest = i;
      for (std::size_t dim = N; dim-- > 0; rest /= extents_[dim])
        at += static_cast<std::ptrdiff_t>(rest % extents_[dim]) * strides_[dim];
      f(static_cast<std::size_t>(at));
    }
  }

  std::array<std::size_t, N> extents_;
  std::array<std::ptrdiff_t, N> strides_;
  std::size_t origin_ = 0;
  std::vector<T> storage_;
};

template <class T>
bitpq::matrix_view<T> view(guarded_array<T, 2>& a) {
  return {a.origin(), a.extents()[0], a.extents()[1], a.strides()[0], a.strides()[1]};
}

template <class T>
bitpq::nchw_view<T> view(guarded_array<T, 4>& a) {
  return {a.origin(), a.extents(), a.strides()};
}

}  // namespace bitpq_test
