// SPDX-License-Identifier: Apache-2.0
#pragma once

// Product quantization of a weight matrix (Jegou et al. 2011; Stock et al. 2020): rows are cut into blocks, the blocks
// are clustered, and each block is replaced by the code of its nearest codeword.

#include <bitpq/cluster/kmeans.hpp>
#include <bitpq/cluster/metric_kmeans.hpp>
#include <bitpq/codec/pq_matrix.hpp>
#include <bitpq/quantize/output_metric.hpp>
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
  /// encoded with the same codewords, cut. `statistics` is needed by all metrics but pq_metric::weights, which ignores
  /// it. Throws bad_shape, bad_params, non_finite or cancelled; what was trained before is then kept.
  /// O(iterations rows cols K), and O(cols^3 / 3) for pq_metric::feedback.
  void train(matrix_view<const T> w, const importance* statistics = nullptr, executor_ref exec = {}) {
    std::vector<output_metric<T>> metrics;
    if (is_positional(params_.metric) && statistics != nullptr)
      metrics = output_metrics<T>(*statistics, params_.damping);
    train(w, statistics, metrics, {}, exec);
  }

  /// As above, with metrics of all groups that the caller has already, for the metrics that differ between positions,
  /// and a weight for each row's errors (empty: all 1).
  void train(matrix_view<const T> w, const importance* statistics, std::span<const output_metric<T>> outputs,
             std::span<const T> row_weights, executor_ref exec) {
    require(row_weights.empty() || row_weights.size() == w.rows(), errc::bad_shape, row_weights.size(),
            " row weights for ", w.rows(), " rows");
    const code_format format = format_for(w, statistics);
    const std::size_t d = params_.block_size;
    std::vector<detail::block_factor<T>> factors = factors_of(format, outputs, exec);
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
      if (!factors.empty()) clustering.max_iterations = (std::min)(clustering.max_iterations, warm_up_iterations);
      kmeans_result<T> result = kmeans<T>({points.data(), points.size() / run.width, run.width},
                                          point_weights(row_weights, run), clustering, exec, metrics.back());
      require(result.stopped != stop_reason::cancelled, errc::cancelled, "cancelled while training codebook ", b,
              " of ", format.codebooks);
      if (!factors.empty())
        result.objective = train_in_positions(w, format, run, factors, row_weights, result.codewords, exec);
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
    factors_ = std::move(factors);
    tail_metric_ = std::move(tail_metric);
    objective_ = objective;
  }

  /// Encodes weights with the columns that it was trained on and any number of rows: each block gets its nearest
  /// codeword, as stored, in the metric of the training. Throws bad_params before training, bad_shape (also for a
  /// number of rows that the groups of the metric do not divide), non_finite.
  [[nodiscard]] pq_matrix<T> encode(matrix_view<const T> w, executor_ref exec = {}) const {
    require(trained(), errc::bad_params, "product_quantizer is not trained");
    require(w.rows() > 0 && w.cols() == cols_, errc::bad_shape, "encoding weights of ", w.rows(), " x ", w.cols(),
            " by a product_quantizer trained on ", cols_, " columns");
    require_finite(w, "weights");
    const code_format format{w.rows(), w.cols(), params_.block_size, book_.codewords(), book_.count()};
    std::vector<std::uint16_t> codes(format.codes());
    if (!factors_.empty()) {
      encode_in_positions(w, format, codes, exec);
      return pq_matrix<T>(w.rows(), w.cols(), book_, packed_codes(format.code_bits(), codes));
    }
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
    if (params_.metric != pq_metric::weights) {
      require(statistics != nullptr, errc::bad_params, "pq_metric::", to_string(params_.metric),
              " without statistics of the inputs");
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

  /// Of the points that gather yields.
  static std::vector<T> point_weights(std::span<const T> row_weights, const block_run& run) {
    std::vector<T> weights;
    for (const T weight : row_weights) weights.insert(weights.end(), run.last - run.first, weight);
    return weights;
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

  /// The metric of each group and block position, group after group; none for metrics that positions share.
  [[nodiscard]] std::vector<detail::block_factor<T>> factors_of(const code_format& format,
                                                                std::span<const output_metric<T>> outputs,
                                                                executor_ref exec) const {
    if (!is_positional(params_.metric)) return {};
    std::vector<detail::block_factor<T>> factors;
    for (const output_metric<T>& metric : outputs)
      for (std::size_t j = 0; j < format.blocks(); ++j)
        factors.push_back(params_.metric == pq_metric::feedback
                              ? metric.feedback_block(j * format.block_size, format.width_of(j), exec)
                              : metric.block(j * format.block_size, format.width_of(j)));
    return factors;
  }

  /// Block j of n rows, whitened, contiguous.
  void whiten(const matrix_view<const T>& w, std::size_t row, std::size_t n, std::size_t j,
              const detail::block_factor<T>& factor, T* out) const {
    std::vector<T> block(factor.width());
    for (std::size_t r = 0; r < n; ++r) {
      for (std::size_t i = 0; i < block.size(); ++i) block[i] = w(row + r, j * params_.block_size + i);
      factor.whiten(block.data(), out + r * block.size());
    }
  }

  /// Improves codewords (K x run.width), trained in the mean metric, in that of each position; returns the objective.
  double train_in_positions(const matrix_view<const T>& w, const code_format& format, const block_run& run,
                            const std::vector<detail::block_factor<T>>& factors, std::span<const T> row_weights,
                            aligned_buffer<T>& codewords, executor_ref exec) const {
    const std::size_t groups = factors.size() / format.blocks(), rows = w.rows() / groups, each = run.last - run.first;
    aligned_buffer<T> points(w.rows() * each * run.width);
    std::vector<detail::metric_cell<T>> cells(groups * each);
    exec.bulk(cells.size(), [&](std::size_t, std::size_t cell) {
      const std::size_t g = cell / each, j = run.first + cell % each;
      T* const out = points.data() + cell * rows * run.width;
      const detail::block_factor<T>& factor = factors[g * format.blocks() + j];
      whiten(w, g * rows, rows, j, factor, out);
      cells[cell] = {out, rows, factor.factor(), row_weights.empty() ? nullptr : &row_weights[g * rows]};
    });
    return metric_kmeans<T>(cells, codewords.span(), run.width, params_.clustering(), exec);
  }

  void encode_in_positions(const matrix_view<const T>& w, const code_format& format, std::vector<std::uint16_t>& codes,
                           executor_ref exec) const {
    const std::size_t groups = factors_.size() / format.blocks(), rows = w.rows() / groups;
    require(w.rows() % groups == 0, errc::bad_shape, "encoding weights of ", w.rows(), " rows in a metric of ", groups,
            " groups");
    exec.bulk(factors_.size(), [&](std::size_t, std::size_t cell) {
      const std::size_t g = cell / format.blocks(), j = cell % format.blocks();
      const detail::block_factor<T>& factor = factors_[cell];
      aligned_buffer<T> points(rows * factor.width()), words(format.codewords * factor.width());
      whiten(w, g * rows, rows, j, factor, points.data());
      const matrix_view<const T> book = book_[format.codebook_of(j)];
      for (std::size_t k = 0; k < format.codewords; ++k) factor.whiten(&book(k, 0), words.data() + k * factor.width());
      std::vector<std::uint16_t> nearest(rows);
      detail::codeword_columns<T>(std::as_const(words).span(), factor.width(), bitpq::kernels<T>())
          .nearest(std::as_const(points).span(), nearest, {});
      for (std::size_t r = 0; r < rows; ++r) codes[(g * rows + r) * format.blocks() + j] = nearest[r];
    });
  }

  /// Before metrics of positions take over from the mean one.
  static constexpr std::size_t warm_up_iterations = 5;

  pq_params params_;
  codebook<T> book_;
  std::size_t cols_ = 0;
  std::vector<whitening> metrics_;                // of each codebook's full blocks
  std::vector<detail::block_factor<T>> factors_;  // of each group's block positions, where the metric differs
  whitening tail_metric_;                         // of the padded last block, on the columns it has
  double objective_ = 0;
};

}  // namespace v1
}  // namespace bitpq
