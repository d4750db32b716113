// SPDX-License-Identifier: Apache-2.0
#pragma once

// The points that `allocate` chooses from, estimated for one layer: block sizes and codebooks that are worth a try,
// what they take, and the error that a short training on a part of the rows comes to.

#include <bitpq/quantize/allocation.hpp>
#include <bitpq/quantize/compress.hpp>

#include <algorithm>
#include <functional>

namespace bitpq {
inline namespace v1 {

/// One way to compress a layer and what it comes to.
struct layer_option {
  pq_params params;
  code_format format;
  operating_point point;
};

/// Running time of a layer in that format, in a unit of the caller's: the estimate of gemm/plan.hpp, or a measurement.
using layer_cost = std::function<double(const code_format&)>;

/// The format that compress gives a layer. Throws bad_shape or bad_params as it does.
[[nodiscard]] inline code_format format_of(const layer_geometry& geometry, const pq_params& params) {
  code_format format{geometry.rows(), geometry.cols(), params.block_size, 1, 1, params.stages};
  if (format.block_size == 0) format.block_size = suggested_block_size(geometry);
  format.validate();
  if (params.scope == codebook_scope::position) format.codebooks = format.blocks();
  if (params.scope == codebook_scope::column_groups) format.codebooks = params.column_groups;
  format.validate();
  // The codebook with the fewest full blocks to learn from; its tail block, if it has no other.
  std::size_t fewest = format.codes();
  for (std::size_t b = 0; b < format.codebooks; ++b) {
    const std::size_t first = b * format.blocks_per_codebook(), each = format.blocks_per_codebook();
    const std::size_t last = (std::min)(first + each, format.cols / format.block_size);
    fewest = (std::min)(fewest, format.rows * (last > first ? last - first : 1));
  }
  format.codewords = limit_clusters(params.codewords, fewest, params.limit);
  return format;
}

/// The bytes that compress makes of a layer in that format.
[[nodiscard]] inline std::size_t bytes_of(const code_format& format, const pq_params& params) {
  return size_of(format, params.storage, params.row_scales ? std::optional(codeword_type::f16) : std::nullopt).bytes();
}

/// What can be tried for a layer in the place of `base`: the given block sizes and numbers of codewords, or, for empty
/// lists, blocks of a row of the window to four windows (of 2 to 16 columns without a window) and 16 to 1024 codewords.
/// Formats appear once; those that take more than half of the weights' bytes in fp16 are left out. Should none be left,
/// it is `base` alone.
[[nodiscard]] inline std::vector<pq_params> allocation_candidates(const layer_geometry& geometry,
                                                                  const pq_params& base = {},
                                                                  std::vector<std::size_t> block_sizes = {},
                                                                  std::vector<std::size_t> codewords = {}) {
  const std::size_t natural = suggested_block_size(geometry);
  if (block_sizes.empty()) {
    if (natural == geometry.window() && geometry.kernel.w < natural) block_sizes.push_back(geometry.kernel.w);
    if (natural != geometry.window() && natural > 1) block_sizes.push_back(natural / 2);
    block_sizes.insert(block_sizes.end(), {natural, 2 * natural, 4 * natural});
  }
  if (codewords.empty()) codewords = {16, 32, 64, 128, 256, 512, 1024};
  std::vector<pq_params> candidates;
  std::vector<code_format> seen;
  for (const std::size_t size : block_sizes)
    for (const std::size_t words : codewords) {
      if (size > geometry.cols()) continue;
      pq_params params = base;
      params.block_size = size;
      params.codewords = words;
      const code_format format = format_of(geometry, params);
      if (std::find(seen.begin(), seen.end(), format) != seen.end()) continue;
      if (bytes_of(format, params) > format.rows * format.cols) continue;
      seen.push_back(format);
      candidates.push_back(std::move(params));
    }
  if (candidates.empty()) candidates.push_back(base);
  return candidates;
}

namespace detail {

/// Rows of a layer's groups at equal distances, so many that `blocks` blocks are among them, or all.
template <scalar T>
struct row_sample {
  std::size_t rows = 0;
  aligned_buffer<T> w;

  row_sample(const matrix_view<const T>& all, std::size_t groups, std::size_t blocks_per_row, std::size_t blocks) {
    const std::size_t in_group = all.rows() / groups;
    const std::size_t wanted = ceil_div(ceil_div(blocks, blocks_per_row), groups);
    const std::size_t kept = (std::min)(in_group, wanted);
    rows = kept * groups;
    w = aligned_buffer<T>(rows * all.cols());
    for (std::size_t g = 0; g < groups; ++g)
      for (std::size_t r = 0; r < kept; ++r)
        for (std::size_t c = 0; c < all.cols(); ++c)
          w[(g * kept + r) * all.cols() + c] = all(g * in_group + r * in_group / kept, c);
  }
};

/// As the candidate, but cheap: a few iterations, and no refinement but error feedback.
template <scalar T>
pq_params short_training(pq_params params, const layer_geometry& geometry, bool statistics) {
  static_cast<void>(reduce_to_memory<T>(params, geometry));
  params.max_iterations = (std::min)(params.max_iterations, std::size_t{3});
  params.seeding = seeding_method::random;
  params.limit = cluster_limit::points;
  params.refinement.rounds = 0;
  if (!statistics) {
    params.metric = pq_metric::weights;
    params.refinement = {};
  }
  return params;
}

/// As compress does it, but with metrics whose factors are kept for the next candidate. Those of several stages or with
/// row scales make their own.
template <scalar T>
pq_matrix<T> trained_briefly(const matrix_view<const T>& w, const importance* statistics,
                             std::span<const output_metric<T>> metrics, const pq_params& params, executor_ref exec) {
  if (params.stages > 1 || params.row_scales) return train_stages<T>(w, statistics, params, exec);
  product_quantizer<T> quantizer(params);
  quantizer.train(w, statistics, metrics, {}, exec);
  const pq_matrix<T> codes = quantizer.encode(w, exec);
  if (!params.refinement.error_feedback) return codes;
  pq_draft<T> draft = draft_of(codes);
  const std::size_t rows = w.rows() / metrics.size();
  for (std::size_t g = 0; g < metrics.size(); ++g)
    encode_with_feedback<T>(draft, g * rows, w.block(g * rows, 0, rows, w.cols()), metrics[g], exec);
  return freeze<T>({&draft, 1}, params.storage);
}

}  // namespace detail

/// Estimates every candidate for weights w of geometry.rows() x geometry.cols(): its bytes exactly, its cost as `cost`
/// says (0 without one), and as its error the relative output error, without `statistics` the relative weight error,
/// that a short training on rows with some 32 blocks per codeword comes to. The damping is the first candidate's. What
/// compress reaches is less, in about the same order. Throws as compress does. O(candidates x n d (K + cols)) for the
/// n blocks that are seen, and O(cols^3 / 3) once for candidates with error feedback.
template <scalar T>
[[nodiscard]] std::vector<layer_option> measure_options(const layer_geometry& geometry,
                                                        std::type_identity_t<matrix_view<const T>> w,
                                                        const importance* statistics,
                                                        std::span<const pq_params> candidates,
                                                        const layer_cost& cost = {}, executor_ref exec = {}) {
  std::vector<output_metric<T>> metrics;
  if (statistics != nullptr && !candidates.empty())
    metrics = output_metrics<T>(*statistics, candidates.front().damping);
  std::vector<layer_option> options;
  for (const pq_params& candidate : candidates) {
    const code_format format = format_of(geometry, candidate);
    layer_option option{candidate, format, {bytes_of(format, candidate), cost ? cost(format) : 0, 0}};
    pq_params params = detail::short_training<T>(candidate, geometry, statistics != nullptr);
    params.block_size = format.block_size;
    const std::size_t seen = (std::max)(32 * format.codewords * format.codebooks, std::size_t{1} << 13);
    const detail::row_sample<T> sample(w, geometry.groups(), format.blocks(), seen);
    const matrix_view<const T> rows(sample.w.data(), sample.rows, w.cols());
    const pq_matrix<T> codes = detail::trained_briefly<T>(rows, statistics, metrics, params, exec);
    option.point.error = statistics == nullptr ? relative_weight_error<T>(rows, codes)
                                               : relative_output_error<T>(rows, codes, *statistics, exec);
    options.push_back(std::move(option));
  }
  return options;
}

/// What `allocate` takes of them.
[[nodiscard]] inline std::vector<operating_point> points_of(std::span<const layer_option> options) {
  std::vector<operating_point> points;
  for (const layer_option& option : options) points.push_back(option.point);
  return points;
}

}  // namespace v1
}  // namespace bitpq
