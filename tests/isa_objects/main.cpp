// SPDX-License-Identifier: Apache-2.0

// A program for the baseline processor that carries wider kernels and runs those this machine has.

#include <bitpq/kernel/dispatch.hpp>

#include <cstdio>

int main() {
  for (const auto* table : bitpq::usable_kernels<float>()) {
    float a[6] = {1, 2, 3, 4, 5, 6}, c[2 * 64] = {}, b[3 * 64];
    for (std::size_t i = 0; i < 3 * table->panel; ++i) b[i] = static_cast<float>(i / table->panel + 1);
    table->gemm_panel(a, 3, b, table->panel, c, static_cast<std::ptrdiff_t>(table->panel), 2, table->panel, 3, false);
    std::printf("%s: %g %g\n", bitpq::to_string(table->target), static_cast<double>(c[0]),
                static_cast<double>(c[table->panel]));
    if (c[0] != 14 || c[table->panel] != 32) return 1;
  }
  return 0;
}
