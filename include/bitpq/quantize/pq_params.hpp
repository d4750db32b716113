// SPDX-License-Identifier: Apache-2.0
#pragma once

// How a layer is to be compressed.

#include <bitpq/cluster/params.hpp>
#include <bitpq/codec/layer_geometry.hpp>

namespace bitpq {
inline namespace v1 {

/// Which blocks share a codebook.
enum class codebook_scope {
  layer,          ///< all of them (the paper)
  column_groups,  ///< those of one of `column_groups` runs of input columns
  position,       ///< those of one block position
};

/// What the codewords are to preserve.
enum class pq_metric {
  weights,     ///< the weights: plain k-means
  gram,        ///< the outputs, by the Gram matrix that the blocks share (the paper)
  block_gram,  ///< the outputs, by the Gram matrix H_jj of each block position
  feedback,    ///< the outputs, by what is left of H_jj when later blocks make good what they can: see feedback.hpp
};

constexpr const char* to_string(pq_metric metric) noexcept {
  switch (metric) {
    case pq_metric::weights: return "weights";
    case pq_metric::gram: return "gram";
    case pq_metric::block_gram: return "block_gram";
    case pq_metric::feedback: return "feedback";
  }
  return "unknown";
}

/// Whether a metric differs from one block position to the next.
constexpr bool is_positional(pq_metric metric) noexcept {
  return metric == pq_metric::block_gram || metric == pq_metric::feedback;
}

/// How codes and codewords are improved after training, each on its own or together. All of it needs statistics.
struct refinement_params {
  bool error_feedback = false;           ///< encode as feedback.hpp says
  std::size_t rounds = 0;                ///< of the two that follow
  std::size_t least_squares_steps = 6;   ///< conjugate gradients on the codewords, see least_squares.hpp
  std::size_t descent_sweeps = 1;        ///< over the codes, see descent.hpp

  [[nodiscard]] bool any() const noexcept { return error_feedback || rounds > 0; }
};

struct pq_params {
  std::size_t block_size = 0;   ///< d; 0: what suggested_block_size says
  std::size_t codewords = 256;  ///< K, reduced as `limit` says
  cluster_limit limit = cluster_limit::paper;
  codeword_type storage = codeword_type::f16;
  codebook_scope scope = codebook_scope::layer;
  std::size_t column_groups = 1;  ///< for codebook_scope::column_groups
  pq_metric metric = pq_metric::gram;
  refinement_params refinement{};
  double damping = 0.01;  ///< added to the Gram matrix's diagonal, as a share of its mean
  /// Memory, in bytes, up to which the whole of H is worked with; a layer that needs more makes do with H_jj, that is
  /// pq_metric::block_gram without refinement, and its report says so.
  std::size_t moments_memory = std::size_t{1} << 30;
  seeding_method seeding = seeding_method::kmeans_plus_plus;
  std::size_t max_iterations = 100;
  double tolerance = 1e-4;
  std::uint64_t seed = 0;
  progress_callback progress{};  ///< passed on to k-means; returning false cancels the compression

  /// The options of the k-means runs.
  [[nodiscard]] kmeans_params clustering() const {
    return {codewords, limit, seeding, max_iterations, tolerance, seed, progress};
  }

  /// Throws bad_params with the offending number.
  void validate() const {
    clustering().validate();
    require(damping >= 0 && std::isfinite(damping), errc::bad_params, "damping ", damping,
            " is not a finite number >= 0");
    require(column_groups >= 1, errc::bad_params, "column_groups ", column_groups, " is below 1");
    require(scope == codebook_scope::column_groups || column_groups == 1, errc::bad_params, "column_groups ",
            column_groups, " without codebook_scope::column_groups");
  }
};

/// One kernel window for a convolution with a window of 2 .. 25 weights (Stock et al. 2020: d = 9 for 3 x 3), else 4;
/// never more than a row of the weight matrix.
[[nodiscard]] constexpr std::size_t suggested_block_size(const layer_geometry& geometry) noexcept {
  const std::size_t window = geometry.window();
  return (std::min)(window >= 2 && window <= 25 ? window : std::size_t{4}, geometry.cols());
}

}  // namespace v1
}  // namespace bitpq
