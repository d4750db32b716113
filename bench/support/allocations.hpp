// SPDX-License-Identifier: Apache-2.0
#pragma once

// How much memory a call takes besides its operands. allocations.cpp replaces the global operator new, through which
// all of bitpq's memory comes.

#include <cstddef>

namespace bench {

/// The most bytes held at once, beyond those held before, while f runs.
template <class F>
std::size_t peak_allocation(F&& f);

namespace detail {
std::size_t begin_counting() noexcept;                    ///< returns the bytes held now, which the peak starts from
std::size_t end_counting(std::size_t at_start) noexcept;  ///< the peak since, less what was held at the start
}  // namespace detail

template <class F>
std::size_t peak_allocation(F&& f) {
  const std::size_t at_start = detail::begin_counting();
  f();
  return detail::end_counting(at_start);
}

}  // namespace bench
