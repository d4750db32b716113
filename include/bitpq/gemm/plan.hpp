// SPDX-License-Identifier: Apache-2.0
#pragma once

// Which way a product is computed, decided from numbers alone and explained in words.

#include <bitpq/codec/layer_geometry.hpp>
#include <bitpq/gemm/path_costs.hpp>
#include <bitpq/gemm/prepack.hpp>

#include <cmath>
#include <limits>
#include <locale>
#include <sstream>
#include <string>

namespace bitpq {
inline namespace v1 {

/// A decision and the estimates behind it.
struct gemm_plan {
  gemm_path path = gemm_path::decode;
  bool forced = false;
  std::array<double, all_gemm_paths.size()>
      cost{};  ///< in cycles, by the order of all_gemm_paths; infinite: does not serve

  /// One line for people.
  [[nodiscard]] std::string why() const {
    std::ostringstream text;
    text.imbue(std::locale::classic());
    text << to_string(path) << (forced ? " (forced)" : "") << ": estimated kilocycles";
    for (std::size_t i = 0; i < cost.size(); ++i)
      if (cost[i] < std::numeric_limits<double>::infinity())
        text << ' ' << to_string(all_gemm_paths[i]) << ' ' << std::llround(cost[i] / 1000);
    return text.str();
  }
};

/// The most scratch that a worker may take, in bytes.
inline constexpr std::size_t max_scratch = std::size_t{4} << 20;

namespace detail {

/// What keeps a path from serving a product.
enum class refusal {
  none,
  tables,
  exact_layer,
  not_int8,
  int8_columns,
  codewords,
  columns,
  windows,
  filters,
  channels
};

/// Bytes of the two tables that `lut` has at a time, and of the codebooks that one of Winograd's paths transforms, of
/// which strips have another copy, a third larger.
inline std::size_t lut_bytes(const code_format& format, const kernel_shape& kernels) noexcept {
  return 2 * format.codewords * kernels.lut_width * kernels.element;
}
inline std::size_t filter_bytes(gemm_path path, const code_format& format, const kernel_shape& kernels) noexcept {
  return winograd_filter_values(winograd_tile(path)) * format.books() * format.codewords * (format.block_size / 9) *
         kernels.element;
}
inline std::size_t most_codewords(gemm_path path, const kernel_shape& kernels) noexcept {
  return path == gemm_path::gemv_lut ? kernels.exact_codewords : kernels.lut16_codewords;
}

/// Decides without a word, for plans are made at every call and are to allocate nothing.
inline refusal refusal_of(gemm_path path, const code_format& format, const product_shape& shape,
                          const kernel_shape& kernels, precision allowed) noexcept {
  const std::size_t few = 8;  // columns of a convolution that are worth reading one by one
  const bool looks_up = path == gemm_path::gemv_lut || path == gemm_path::lut16;
  if (path == gemm_path::lut && lut_bytes(format, kernels) > max_scratch / 2) return refusal::tables;
  if (path == gemm_path::lut16 && allowed == precision::exact) return refusal::exact_layer;
  if (path == gemm_path::int8 && (allowed != precision::int8 || kernels.int8_group == 0)) return refusal::not_int8;
  if (path == gemm_path::int8 && format.cols * format.stages > max_int8_cols) return refusal::int8_columns;
  if (looks_up && format.codewords > most_codewords(path, kernels)) return refusal::codewords;
  if (is_gemv(path) && shape.convolution && (shape.columns > few || shape.groups > 1)) return refusal::columns;
  const bool filters = winograd_tile(path) > 0;
  if (filters && shape.winograd_tiles[0] == 0) return refusal::windows;
  if (filters && filter_bytes(path, format, kernels) > max_scratch / 2) return refusal::filters;
  if (path == gemm_path::depthwise && !shape.depthwise) return refusal::channels;
  return refusal::none;
}

}  // namespace detail

/// Why a product cannot be computed along a path, or nothing when it can.
[[nodiscard]] inline std::string why_not(gemm_path path, const code_format& format, const product_shape& shape,
                                         const kernel_shape& kernels, precision allowed) {
  using detail::refusal;
  std::ostringstream text;
  text.imbue(std::locale::classic());
  switch (detail::refusal_of(path, format, shape, kernels, allowed)) {
    case refusal::none: break;
    case refusal::tables:
      text << "two tables of " << format.codewords << " codewords take " << detail::lut_bytes(format, kernels)
           << " bytes";
      break;
    case refusal::exact_layer: text << "the layer was prepacked for exact products"; break;
    case refusal::not_int8: text << "takes layers of float that were prepacked for int8"; break;
    case refusal::int8_columns:
      text << "takes up to " << max_int8_cols << " columns of weights in all stages, not "
           << format.cols * format.stages;
      break;
    case refusal::codewords:
      text << "takes up to " << detail::most_codewords(path, kernels) << " codewords of " << 8 * kernels.element
           << "-bit numbers with the " << to_string(kernels.target) << " kernels, not " << format.codewords;
      break;
    case refusal::columns:
      text << "takes convolutions of one group and up to 8 output pixels, not of " << shape.groups << " and "
           << shape.columns;
      break;
    case refusal::windows:
      text << "takes 3 x 3 convolutions of stride 1 or 2 and dilation 1 with blocks of up to "
           << detail::max_winograd_filters << " whole filters";
      break;
    case refusal::filters:
      text << format.books() << " x " << format.codewords << " transformed codewords take "
           << detail::filter_bytes(path, format, kernels) << " bytes";
      break;
    case refusal::channels: text << "takes convolutions with one input channel per group"; break;
  }
  return text.str();
}

/// The cheapest path that serves, or `forced`. Throws unsupported, with the reason, when that one does not serve.
[[nodiscard]] inline gemm_plan make_plan(const code_format& format, const product_shape& shape,
                                         const kernel_shape& kernels, precision allowed, const path_costs& costs,
                                         gemm_path forced = gemm_path::automatic) {
  gemm_plan plan;
  plan.forced = forced != gemm_path::automatic;
  if (forced != gemm_path::automatic &&
      detail::refusal_of(forced, format, shape, kernels, allowed) != detail::refusal::none)
    fail(errc::unsupported, "path ", to_string(forced), ": ", why_not(forced, format, shape, kernels, allowed));
  double least = std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < all_gemm_paths.size(); ++i) {
    const gemm_path path = all_gemm_paths[i];
    const bool serves = detail::refusal_of(path, format, shape, kernels, allowed) == detail::refusal::none;
    plan.cost[i] = serves ? path_cost(path, format, shape, kernels, costs) : std::numeric_limits<double>::infinity();
    if (plan.cost[i] < least) {
      least = plan.cost[i];
      plan.path = path;
    }
  }
  if (plan.forced) plan.path = forced;
  return plan;
}

template <scalar T>
[[nodiscard]] kernel_shape shape_of(const kernel_table<T>& kernels) noexcept {
  return {kernels.target,
          kernels.lanes,
          kernels.panel,
          2 * kernels.lanes,
          sizeof(T),
          kernels.lookup.exact_codewords,
          kernels.lookup.lut16_codewords,
          sizeof(T) == sizeof(float) ? kernels.int8.group : 0,
          kernels.strips.filters != nullptr};
}

/// The plan of gemm(w, x, ...) for an x of so many columns.
template <scalar T>
[[nodiscard]] gemm_plan plan_gemm(const prepacked_matrix<T>& w, std::size_t columns,
                                  gemm_path forced = gemm_path::automatic) {
  product_shape shape{1, w.rows(), columns};
  shape.words = w.words_per_block();
  return make_plan(w.format(), shape, shape_of(w.kernels()), w.allowed(), w.costs(), forced);
}

/// The tiles of an output, as a convolution's output.
[[nodiscard]] inline extent2 winograd_tiles(extent2 out, std::size_t tile) noexcept {
  return {ceil_div(out.h, tile), ceil_div(out.w, tile)};
}

/// The product that a convolution of `batch` images of that size is, for weights of that format. Throws as
/// layer_geometry::output_size does.
[[nodiscard]] inline product_shape shape_of(const layer_geometry& g, const code_format& format, std::size_t batch,
                                            extent2 image) {
  const extent2 out = g.output_size(image);
  product_shape shape{g.groups(), g.out_per_group(), batch * out.h * out.w, true, g.window()};
  shape.stride = g.conv.stride.h;
  if (g.kernel == extent2{3, 3} && shape.stride <= 2 && g.conv.stride.w == shape.stride &&
      g.conv.dilation == extent2{1, 1} && format.block_size % 9 == 0 &&
      format.block_size / 9 <= detail::max_winograd_filters)
    for (const gemm_path path : {gemm_path::winograd, gemm_path::winograd4}) {
      const extent2 tiles = winograd_tiles(out, winograd_tile(path));
      shape.winograd_tiles[winograd_tile(path) / 4] = batch * tiles.h * tiles.w;
    }
  shape.depthwise = g.in_per_group() == 1;
  return shape;
}

/// The plan of conv2d(w, geometry, x, ...) for `batch` images of that size.
template <scalar T>
[[nodiscard]] gemm_plan plan_conv2d(const prepacked_matrix<T>& w, const layer_geometry& g, std::size_t batch,
                                    extent2 image, gemm_path forced = gemm_path::automatic) {
  product_shape shape = shape_of(g, w.format(), batch, image);
  shape.words = w.words_per_block();
  return make_plan(w.format(), shape, shape_of(w.kernels()), w.allowed(), w.costs(), forced);
}

}  // namespace v1
}  // namespace bitpq
