// SPDX-License-Identifier: Apache-2.0
#pragma once

// Product quantization of a weight matrix (Jegou et al. 2011; Stock et al. 2020): rows are cut into blocks, the blocks
// are clustered, and each block is replaced by the code of its nearest codeword.

#include <bitpq/cluster/kmeans.hpp>
#include <bitpq/codec/pq_matrix.hpp>
#include <bitpq/quantize/importance.hpp>
#include <bitpq/quantize/pq_params.hpp>

#include <optional>

namespace bitpq {
inline namespace v1 {

/// Learns codebooks from weights and encodes weights with them. D is the block size where it is known at compile time,
/// else `dynamic` and given by the parameters.
template <scalar T, int D = dynamic>
class product_quantizer {
  static_assert(D == dynamic || D > 0, "a static block size is positive");

 public:
  /// Throws bad_params, see pq_params::validate; the block size must be given here or by D, and agree with D.
  explicit product_quantizer(pq_params params) : params_(std::move(params)) {
    params_.validate();
    if constexpr (D != dynamic) {
      constexpr auto fixed = static_cast<std::size_t>(D);
      require(params_.block_size == 0 || params_.block_size == fixed, errc::bad_params, "block size ",
              params_.block_size, " in a product_quantizer of block size ", fixed);
      params_.block_size = fixed;
    }
    require(params_.block_size > 0, errc::bad_params, "block size 0");
  }

  [[nodiscard]] const pq_params& params() const noexcept { return params_; }
  [[nodiscard]] bool trained() const noexcept { return book_.count() > 0; }
  /// What train learned; empty before.
  [[nodiscard]] const codebook<T>& book() const noexcept { return book_; }
  /// Sum over the codebooks of the k-means objectives, in the metric's units.
  [[nodiscard]] double objective() const noexcept { return objective_; }

  /// Learns the codebooks of `w` (rows x cols, any strides) by k-means over its full blocks; a padded tail block is
  /// encoded with the same codewords, cut. `statistics` is needed for pq_metric::gram and ignored for ::weights.
  /// Throws bad_shape, bad_params, non_finite or cancelled; what was trained before is then kept.
  /// O(iterations rows cols K).
  void train(matrix_view<const T> w, const importance* statistics = nullptr, executor_ref exec = {}) {
    const code_format format = format_for(w, statistics);
    const std::size_t d = params_.block_size;
    std::vector<whitening> metrics;
    std::vector<T> values(format.codebooks * format.codewords * d);
    double objective = 0;
    for (std::size_t b = 0; b < format.codebooks; ++b) {
      const block_run run = training_run(format, b);
      metrics.push_back(metric_of(run, statistics));
      const aligned_buffer<T> points = gather(w, run);
      kmeans_params clustering = params_.clustering();
      clustering.clusters = format.codewords;
      clustering.limit = cluster_limit::strict;
      const kmeans_result<T> result =
          kmeans<T>({points.data(), points.size() / run.width, run.width}, {}, clustering, exec, metrics.back());
      require(result.stopped != stop_reason::cancelled, errc::cancelled, "cancelled while training codebook ", b,
              " of ", format.codebooks);
      for (std::size_t k = 0; k < result.clusters; ++k)
        for (std::size_t i = 0; i < run.width; ++i)
          values[(b * result.clusters + k) * d + i] = result.codewords[k * run.width + i];
      objective += result.objective;
    }
    codebook<T> book(values, format.codebooks, format.codewords, d, params_.storage);
    whitening tail_metric = tail_metric_of(format, statistics);
    book_ = std::move(book);  // nothing throws from here on
    cols_ = format.cols;
    metrics_ = std::move(metrics);
    tail_metric_ = std::move(tail_metric);
    objective_ = objective;
  }

  /// Encodes weights with the columns that it was trained on and any number of rows: each block gets its nearest
  /// codeword, as stored, in the metric of the training. Throws bad_params before training, bad_shape, non_finite.
  [[nodiscard]] pq_matrix<T> encode(matrix_view<const T> w, executor_ref exec = {}) const {
    require(trained(), errc::bad_params, "product_quantizer is not trained");
    require(w.rows() > 0 && w.cols() == cols_, errc::bad_shape, "encoding weights of ", w.rows(), " x ", w.cols(),
            " by a product_quantizer trained on ", cols_, " columns");
    require_finite(w, "weights");
    const code_format format{w.rows(), w.cols(), params_.block_size, book_.codewords(), book_.count()};
    std::vector<std::uint16_t> codes(format.codes());
    for (std::size_t b = 0; b < format.codebooks; ++b) {
      const std::size_t first = b * format.blocks_per_codebook();
      const std::size_t last = (std::min)(first + format.blocks_per_codebook(), format.blocks());
      const std::size_t full = (std::min)(last, format.cols / format.block_size);
      if (first < full) encode_run(w, {first, full, format.block_size}, b, metrics_[b], format, codes, exec);
      if (full < last)  // the tail block
        encode_run(w, {last - 1, last, format.width_of(last - 1)}, b, tail_metric_, format, codes, exec);
    }
    return pq_matrix<T>(w.rows(), w.cols(), book_, packed_codes(format.code_bits(), codes));
  }

  /// The weights that codes stand for; see pq_matrix::decode.
  static void decode(const pq_matrix<T>& codes, matrix_view<T> w) { codes.decode(w); }

 private:
  /// Consecutive block positions [first, last) of which the leading `width` columns are looked at.
  struct block_run {
    std::size_t first, last, width;
  };

  /// Checks the arguments and fixes the number of codebooks and codewords.
  [[nodiscard]] code_format format_for(const matrix_view<const T>& w, const importance* statistics) const {
    code_format format{w.rows(), w.cols(), params_.block_size, 1, 1};
    format.validate();
    require_finite(w, "weights");
    if (params_.metric == pq_metric::gram) {
      require(statistics != nullptr, errc::bad_params, "pq_metric::gram without statistics of the inputs");
      require(statistics->cols() == w.cols() && w.rows() % statistics->groups() == 0, errc::bad_shape, "weights of ",
              w.rows(), " x ", w.cols(), " with second moments of ", statistics->groups(), " x ", statistics->cols(),
              " x ", statistics->cols());
    }
    if (params_.scope == codebook_scope::position) format.codebooks = format.blocks();
    if (params_.scope == codebook_scope::column_groups) format.codebooks = params_.column_groups;
    format.validate();
    std::size_t fewest = format.codes();
    for (std::size_t b = 0; b < format.codebooks; ++b) {
      const block_run run = training_run(format, b);
      fewest = (std::min)(fewest, format.rows * (run.last - run.first));
    }
    format.codewords = limit_clusters(params_.codewords, fewest, params_.limit);
    return format;
  }

  /// The full blocks of codebook b, or its tail block when it has no other.
  [[nodiscard]] static block_run training_run(const code_format& format, std::size_t b) noexcept {
    const std::size_t first = b * format.blocks_per_codebook();
    const std::size_t last = (std::min)(first + format.blocks_per_codebook(), format.blocks());
    const std::size_t full = (std::min)(last, format.cols / format.block_size);
    if (first < full) return {first, full, format.block_size};
    return {first, last, format.width_of(first)};
  }

  [[nodiscard]] whitening metric_of(const block_run& run, const importance* statistics) const {
    if (params_.metric == pq_metric::weights) return {};
    std::vector<std::size_t> positions(run.last - run.first);
    std::iota(positions.begin(), positions.end(), run.first);
    const aligned_buffer<double> gram = statistics->shared_gram(positions, params_.block_size, run.width);
    return whitening({gram.data(), run.width, run.width}, params_.damping);
  }

  [[nodiscard]] whitening tail_metric_of(const code_format& format, const importance* statistics) const {
    const std::size_t last = format.blocks() - 1, width = format.width_of(last);
    return width < params_.block_size ? metric_of({last, last + 1, width}, statistics) : whitening{};
  }

  /// The run's blocks of all rows, row after row, width elements each.
  [[nodiscard]] aligned_buffer<T> gather(const matrix_view<const T>& w, const block_run& run) const {
    aligned_buffer<T> points(w.rows() * (run.last - run.first) * run.width);
    T* out = points.data();
    for (std::size_t r = 0; r < w.rows(); ++r)
      for (std::size_t j = run.first; j < run.last; ++j)
        for (std::size_t i = 0; i < run.width; ++i) *out++ = w(r, j * params_.block_size + i);
    return points;
  }

  void encode_run(const matrix_view<const T>& w, const block_run& run, std::size_t b, const whitening& metric,
                  const code_format& format, std::vector<std::uint16_t>& codes, executor_ref exec) const {
    aligned_buffer<T> points = gather(w, run);
    aligned_buffer<T> words(book_.codewords() * run.width);
    for (std::size_t k = 0; k < book_.codewords(); ++k)
      for (std::size_t i = 0; i < run.width; ++i) words[k * run.width + i] = book_[b](k, i);
    metric.apply(points.span(), run.width);
    metric.apply(words.span(), run.width);
    const std::size_t each = run.last - run.first;
    std::vector<std::uint16_t> nearest(w.rows() * each);
    detail::codeword_columns<T>(words.span(), run.width, bitpq::kernels<T>()).nearest(points.span(), nearest, exec);
    for (std::size_t r = 0; r < w.rows(); ++r)
      for (std::size_t j = 0; j < each; ++j) codes[r * format.blocks() + run.first + j] = nearest[r * each + j];
  }

  pq_params params_;
  codebook<T> book_;
  std::size_t cols_ = 0;
  std::vector<whitening> metrics_;  // of each codebook's full blocks
  whitening tail_metric_;           // of the padded last block, on the columns it has
  double objective_ = 0;
};

}  // namespace v1
}  // namespace bitpq
