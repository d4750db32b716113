// SPDX-License-Identifier: Apache-2.0

// A host program: takes the whole library through its front door and uses a little of it.

#if __has_include(<bitpq/pq.hpp>)
#include <bitpq/pq.hpp>
#endif
#include <bitpq/core/matrix_view.hpp>
#include <bitpq/version.hpp>

#include <cstdio>

int main() {
  const float data[6] = {1, 2, 3, 4, 5, 6};
  const bitpq::matrix_view<const float> view(data, 2, 3);
  std::printf("bitpq %d reads %g\n", bitpq::version_number, static_cast<double>(view(1, 2)));
  return view(1, 2) == 6.0F ? 0 : 1;
}
