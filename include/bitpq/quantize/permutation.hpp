// SPDX-License-Identifier: Apache-2.0
#pragma once

// The order of a layer's input channels decides which weights share a block, and so how well a codebook fits them. A
// network computes the same with its channels in another order, as long as those who make them use it too: permute.hpp.
// The order is chosen to lower log det of the covariance of blocks, which bounds what a codebook of a given size leaves
// of Gaussian blocks (Martinez et al. 2021): first by energies, so that each position within a block gets channels of
// like energy (the least product of variances), then by swaps of two channels for as long as they help.

#include <bitpq/quantize/detail/block_spread.hpp>
#include <bitpq/quantize/permute.hpp>
#include <bitpq/quantize/pq_params.hpp>

namespace bitpq {
inline namespace v1 {

struct permutation_params {
  std::size_t block_size = 0;  ///< d of the blocks to come; 0: what suggested_block_size says
  std::size_t codebooks = 1;   ///< that share out the block positions, as in code_format
  std::size_t sweeps = 8;      ///< the most passes over all pairs of channels
};

namespace detail {

/// Places with the same offset in a block get neighbours in the order of falling energy.
inline channel_order order_by_energy(const block_spread& spread, std::size_t block_size) {
  const std::size_t channels = spread.channels(), unit = spread.unit();
  channel_order by_energy = identity_order(channels), places = by_energy, order(channels);
  std::stable_sort(by_energy.begin(), by_energy.end(),
                   [&](std::size_t a, std::size_t b) { return spread.energy(a) > spread.energy(b); });
  std::stable_sort(places.begin(), places.end(),
                   [&](std::size_t a, std::size_t b) { return a * unit % block_size < b * unit % block_size; });
  for (std::size_t i = 0; i < channels; ++i) order[places[i]] = by_energy[i];
  return order;
}

/// Swaps pairs of channels for as long as that helps, in a fixed order.
inline void improve_by_swaps(block_spread& spread, std::size_t sweeps) {
  bool changed = true;
  for (std::size_t sweep = 0; sweep < sweeps && changed; ++sweep) {
    changed = false;
    for (std::size_t a = 0; a < spread.channels(); ++a)
      for (std::size_t b = a + 1; b < spread.channels(); ++b) changed |= spread.swap_if_better(a, b);
  }
}

}  // namespace detail

/// The order of input channels in which weights w (geometry.rows() x geometry.cols(), any strides) fit codebooks best:
/// place i is for the channel order[i], the identity where nothing is gained. Columns move by windows. With
/// `statistics` of the inputs weights count by the energy of the input that they meet. The same arguments give the same
/// order. Throws bad_shape, bad_params for a grouped convolution, whose groups hold their channels fast, or a block
/// size beyond a row, non_finite. O(rows cols^2 + sweeps channels^2 d^3), and memory for cols^2 doubles.
template <scalar T>
[[nodiscard]] channel_order best_order(const layer_geometry& geometry, std::type_identity_t<matrix_view<const T>> w,
                                       permutation_params params = {}, const importance* statistics = nullptr) {
  static_cast<void>(geometry.validated());
  require(w.rows() == geometry.rows() && w.cols() == geometry.cols(), errc::bad_shape, "weights of ", w.rows(), " x ",
          w.cols(), " for a layer of ", geometry.rows(), " x ", geometry.cols());
  require(geometry.groups() == 1, errc::bad_params, "input channels of a convolution of ", geometry.groups(),
          " groups cannot be permuted");
  require(statistics == nullptr || (statistics->groups() == 1 && statistics->cols() == geometry.cols()),
          errc::bad_shape, "second moments of ", statistics == nullptr ? 0 : statistics->groups(), " x ",
          statistics == nullptr ? 0 : statistics->cols(), " for a layer of 1 group of ", geometry.cols(), " columns");
  if (params.block_size == 0) params.block_size = suggested_block_size(geometry);
  const code_format format{w.rows(), w.cols(), params.block_size, 1, params.codebooks};
  format.validate();
  channel_order identity = identity_order(geometry.in_channels);
  // Windows of whole blocks: a codebook that all share sees the same blocks in any order.
  if (params.codebooks == 1 && geometry.window() % params.block_size == 0) return identity;
  detail::block_spread spread(detail::weight_moments<T>(w, statistics), format, geometry.window());
  spread.arrange(identity);
  const double before = spread.objective();
  spread.arrange(detail::order_by_energy(spread, params.block_size));
  if (spread.objective() > before) spread.arrange(identity);
  detail::improve_by_swaps(spread, params.sweeps);
  return spread.objective() < before ? spread.order() : identity;
}

/// Finds and applies the best order between each two layers of a chain, from its end to its start, where nothing holds
/// the channels fast (why_fixed). Returns the order of each layer's input channels; the identity where they stayed.
/// Blocks are those of `params`, its block size 0 letting each layer have its own. Throws as best_order does.
template <scalar T>
std::vector<channel_order> permute_chain(std::span<const chain_layer<T>> chain, const permutation_params& params = {}) {
  std::vector<channel_order> orders;
  for (const chain_layer<T>& layer : chain) orders.push_back(identity_order(layer.geometry.in_channels));
  for (std::size_t i = chain.size(); i-- > 1;) {
    if (!why_fixed<T>(chain, i).empty() || chain[i].geometry.in_channels != chain[i - 1].weights.rows()) continue;
    orders[i] = best_order<T>(chain[i].geometry, chain[i].weights, params);
    permute_between<T>(chain, i, orders[i]);
  }
  return orders;
}

}  // namespace v1
}  // namespace bitpq
