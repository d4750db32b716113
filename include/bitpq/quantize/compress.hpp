// SPDX-License-Identifier: Apache-2.0
#pragma once

// Compresses one layer and says what it cost: the offline side's front call.

#include <bitpq/quantize/gram_accumulator.hpp>
#include <bitpq/quantize/product_quantizer.hpp>
#include <bitpq/quantize/refine.hpp>

#include <chrono>

namespace bitpq {
inline namespace v1 {

/// What compressing a layer did. Errors are relative and squared: 0 is exact, 1 is as bad as dropping the layer.
struct layer_report {
  layer_geometry geometry;
  code_format format;
  codeword_type storage = codeword_type::f32;
  size_report size;
  pq_metric metric = pq_metric::weights;  ///< that the codewords were trained in
  refinement_params refinement{};         ///< that was done
  bool moments_reduced = false;           ///< less than asked for, since H exceeded pq_params::moments_memory
  double weight_error = 0;                ///< |W - W^|^2 / |W|^2
  std::optional<double> output_error;     ///< tr(E H E^T) / tr(W H W^T), where statistics were given
  double seconds = 0;
};

/// A layer's weights compressed, and how that went.
template <scalar T>
struct compression {
  layer_geometry geometry;
  pq_matrix<T> weights;
  layer_report report;
};

namespace detail {

/// numerator / denominator; 0 / 0 is 0: nothing was there and nothing is lost.
inline double relative(double numerator, double denominator) noexcept {
  if (denominator > 0) return numerator / denominator;
  return numerator > 0 ? std::numeric_limits<double>::infinity() : 0;
}

/// w minus the weights that `codes` stand for, contiguous. Throws bad_shape when the shapes differ.
template <scalar T>
aligned_buffer<T> difference_of(const matrix_view<const T>& w, const pq_matrix<T>& codes) {
  require(w.rows() == codes.rows() && w.cols() == codes.cols(), errc::bad_shape, "weights of ", w.rows(), " x ",
          w.cols(), " against codes of ", codes.rows(), " x ", codes.cols());
  aligned_buffer<T> difference(w.size());
  const matrix_view<T> e(difference.data(), w.rows(), w.cols());
  codes.decode(e);
  for (std::size_t r = 0; r < w.rows(); ++r)
    for (std::size_t c = 0; c < w.cols(); ++c) e(r, c) = w(r, c) - e(r, c);
  return difference;
}

/// Sum of squares.
template <scalar T>
double energy(const matrix_view<const T>& w) {
  double sum = 0;
  for (std::size_t r = 0; r < w.rows(); ++r)
    for (std::size_t c = 0; c < w.cols(); ++c) sum += static_cast<double>(w(r, c)) * static_cast<double>(w(r, c));
  return sum;
}

}  // namespace detail

/// |W - W^|^2 / |W|^2 of weights and their codes, any strides. Throws bad_shape when the shapes differ.
template <scalar T>
[[nodiscard]] double relative_weight_error(std::type_identity_t<matrix_view<const T>> w, const pq_matrix<T>& codes) {
  const aligned_buffer<T> e = detail::difference_of(w, codes);
  return detail::relative(detail::energy(matrix_view<const T>(e.data(), w.rows(), w.cols())), detail::energy(w));
}

/// tr(E H E^T) / tr(W H W^T), E = W - W^: the share of the layer's mean squared output that is lost on inputs with
/// second moments `h`, which are to be taken from other inputs than the calibration's for an honest figure. Throws
/// bad_shape when the shapes differ. O(rows cols^2 / groups).
template <scalar T>
[[nodiscard]] double relative_output_error(std::type_identity_t<matrix_view<const T>> w, const pq_matrix<T>& codes,
                                           const importance& h, executor_ref exec = {}) {
  const aligned_buffer<T> e = detail::difference_of(w, codes);
  return detail::relative(output_energy<T>({e.data(), w.rows(), w.cols()}, h, exec), output_energy<T>(w, h, exec));
}

namespace detail {

/// `params` without what needs the whole of H, where that would take too much memory. Returns whether they changed.
template <scalar T>
bool reduce_to_memory(pq_params& params, const layer_geometry& geometry) {
  if (params.metric != pq_metric::feedback && !params.refinement.any()) return false;
  // The factor while it is computed, and it and H as operands.
  const double square = static_cast<double>(geometry.cols()) * static_cast<double>(geometry.cols());
  const double bytes =
      square * static_cast<double>(geometry.groups()) * static_cast<double>(sizeof(double) + 2 * sizeof(T));
  if (bytes <= static_cast<double>(params.moments_memory)) return false;
  params.metric = pq_metric::block_gram;
  params.refinement = {};
  return true;
}

}  // namespace detail

/// Compresses weights w of geometry.rows() x geometry.cols() (any strides). `statistics` are those of the layer's
/// inputs, needed by every metric but pq_metric::weights and by refinement; with them the report holds the output error
/// on the inputs they were taken from. Throws bad_shape, bad_params, non_finite or cancelled, with the numbers; w is
/// only read. O(iterations rows cols K + rows cols^2 / groups), and as refine says.
template <scalar T>
[[nodiscard]] compression<T> compress(const layer_geometry& geometry, std::type_identity_t<matrix_view<const T>> w,
                                      const importance* statistics, pq_params params = {}, executor_ref exec = {}) {
  const auto start = std::chrono::steady_clock::now();
  static_cast<void>(geometry.validated());
  require(w.rows() == geometry.rows() && w.cols() == geometry.cols(), errc::bad_shape, "weights of ", w.rows(), " x ",
          w.cols(), " for a layer of ", geometry.rows(), " x ", geometry.cols());
  require(statistics == nullptr || (statistics->cols() == geometry.cols() && statistics->groups() == geometry.groups()),
          errc::bad_shape, "second moments of ", statistics == nullptr ? 0 : statistics->groups(), " x ",
          statistics == nullptr ? 0 : statistics->cols(), " for a layer of ", geometry.groups(), " groups of ",
          geometry.cols(), " columns");
  if (params.block_size == 0) params.block_size = suggested_block_size(geometry);
  const bool reduced = detail::reduce_to_memory<T>(params, geometry);
  require(!params.refinement.any() || statistics != nullptr, errc::bad_params,
          "refinement without statistics of the inputs");
  std::vector<output_metric<T>> metrics;
  if (statistics != nullptr && (is_positional(params.metric) || params.refinement.any()))
    metrics = output_metrics<T>(*statistics, params.damping);
  product_quantizer<T> quantizer(params);
  quantizer.train(w, statistics, metrics, {}, exec);
  compression<T> layer{geometry, quantizer.encode(w, exec), {}};
  if (params.refinement.any()) {
    aligned_buffer<T> contiguous(w.size());
    for (std::size_t r = 0; r < w.rows(); ++r)
      for (std::size_t c = 0; c < w.cols(); ++c) contiguous[r * w.cols() + c] = w(r, c);
    layer.weights = refine<T>(layer.weights, contiguous.data(), metrics, params.refinement, params.progress, exec);
  }
  layer_report& report = layer.report;
  report.metric = params.metric;
  report.refinement = params.refinement;
  report.moments_reduced = reduced;
  report.geometry = geometry;
  report.format = layer.weights.format();
  report.storage = params.storage;
  report.size = layer.weights.size();
  report.weight_error = relative_weight_error<T>(w, layer.weights);
  if (statistics != nullptr) report.output_error = relative_output_error<T>(w, layer.weights, *statistics, exec);
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return layer;
}

}  // namespace v1
}  // namespace bitpq
