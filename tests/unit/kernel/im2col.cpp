// SPDX-License-Identifier: Apache-2.0

#include "support/catch.hpp"
#include "support/guarded_array.hpp"
#include "support/random_data.hpp"

#include <bitpq/kernel/im2col.hpp>

#include <algorithm>

using bitpq::extent2;
using bitpq::layer_geometry;
using namespace bitpq_test;

namespace {

/// One element of the im2col matrix, from its definition.
float element(const layer_geometry& g, const bitpq::nchw_view<const float>& x, extent2 out, std::size_t group,
              std::size_t k, std::size_t column) {
  const std::size_t tap = k % g.window(), pixel = column % (out.h * out.w);
  const std::size_t y = pixel / out.w * g.conv.stride.h + tap / g.kernel.w * g.conv.dilation.h;
  const std::size_t w = pixel % out.w * g.conv.stride.w + tap % g.kernel.w * g.conv.dilation.w;
  const bool inside = y >= g.conv.padding.h && y < x.height() + g.conv.padding.h && w >= g.conv.padding.w &&
                      w < x.width() + g.conv.padding.w;
  if (!inside) return 0.0F;
  return x(column / (out.h * out.w), group * g.in_per_group() + k / g.window(), y - g.conv.padding.h,
           w - g.conv.padding.w);
}

void check_all_panels(const layer_geometry& g, extent2 in, std::size_t batch, layout order) {
  const std::vector<float> values = random_integers<float>(batch * g.in_channels * in.h * in.w, 1);
  guarded_array<float, 4> storage({batch, g.in_channels, in.h, in.w}, order, values);
  const bitpq::nchw_view<const float> x = view(storage);
  const extent2 out = g.output_size(in);
  const std::size_t columns = batch * out.h * out.w, ld = 20;
  for (std::size_t group = 0; group < g.groups(); ++group)
    for (std::size_t first = 0; first < columns; first += 17)
      for (const auto& [k0, k1] :
           {std::pair<std::size_t, std::size_t>{0, g.cols()}, {1, g.cols()}, {g.cols() / 2, g.cols() - 1}}) {
        if (k0 >= k1) continue;
        const std::size_t n = std::min<std::size_t>(17, columns - first);
        std::vector<double> panel((k1 - k0) * ld, 99.0), want = panel;
        std::vector<std::size_t> chosen(n);  // neighbours, and neighbours of which every third is somewhere else
        for (std::size_t lane = 0; lane < n; ++lane)
          chosen[lane] = k0 == 1 && lane % 3 == 0 ? (7 * lane) % columns : first + lane;
        bitpq::im2col_columns(x, g, out, chosen).pack(x, g, group, k0, k1, panel.data(), ld);
        for (std::size_t k = k0; k < k1; ++k)
          for (std::size_t lane = 0; lane < n; ++lane)
            want[(k - k0) * ld + lane] = static_cast<double>(element(g, x, out, group, k, chosen[lane]));
        INFO("group " << group << ", columns from " << first << ", rows " << k0 << " .. " << k1);
        REQUIRE(panel == want);
      }
}

}  // namespace

TEST_CASE("panels of the im2col matrix hold what its definition says") {
  for (const layout order : all_layouts) {
    INFO("layout " << static_cast<int>(order));
    check_all_panels(layer_geometry::conv2d(2, 3, {3, 3}), {6, 9}, 2, order);
    check_all_panels(layer_geometry::conv2d(2, 3, {3, 3}, {{1, 1}, {1, 1}, {1, 1}, 1}), {5, 5}, 3, order);
    check_all_panels(layer_geometry::conv2d(4, 4, {2, 5}, {{2, 3}, {1, 4}, {2, 1}, 2}), {7, 6}, 2, order);
    check_all_panels(layer_geometry::conv2d(3, 3, {3, 3}, {{1, 2}, {2, 2}, {3, 2}, 3}), {4, 8}, 1, order);
    check_all_panels(layer_geometry::conv2d(1, 5, {1, 1}), {3, 4}, 4, order);
    check_all_panels(layer_geometry::conv2d(1, 1, {3, 3}, {{1, 1}, {3, 3}, {1, 1}, 1}), {1, 1}, 2, order);
  }
}
