// SPDX-License-Identifier: Apache-2.0
#pragma once

// How long work reports itself and is told to stop.

#include <cstddef>
#include <functional>
#include <string_view>

namespace bitpq {
inline namespace v1 {

/// One report of a long computation.
struct progress {
  std::string_view stage;  ///< what is being done; valid during the call only
  std::size_t done = 0;    ///< units finished
  std::size_t total = 0;   ///< units in all, at most
  double objective = 0;    ///< the quantity being minimised; 0 where there is none
};

/// Called in the caller's thread; returning false asks the computation to stop. May be empty.
using progress_callback = std::function<bool(const progress&)>;

}  // namespace v1
}  // namespace bitpq
