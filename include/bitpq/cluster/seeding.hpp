// SPDX-License-Identifier: Apache-2.0
#pragma once

// The first codewords of k-means.

#include <bitpq/cluster/assignment.hpp>
#include <bitpq/cluster/params.hpp>
#include <bitpq/cluster/potential.hpp>

namespace bitpq {
inline namespace v1 {
namespace detail {

/// The points of those numbers as codewords.
template <scalar T>
aligned_buffer<T> codewords_at(const point_set<T>& points, std::span<const std::size_t> chosen) {
  aligned_buffer<T> codewords(chosen.size() * points.d());
  for (std::size_t c = 0; c < chosen.size(); ++c) points.copy(chosen[c], codewords.data() + c * points.d());
  return codewords;
}

/// Draws on from what the potentials include already, until `chosen` are k of the sample.
template <scalar T>
void draw_one_by_one(potentials<T>& sample, std::size_t k, const random_stream& random, std::uint64_t draws,
                     std::vector<std::size_t>& chosen, executor_ref exec) {
  while (chosen.size() < k) {
    std::size_t next = sample.draw(random.uniform(draws));
    // Fewer distinct points than clusters: any point will do, its cluster stays empty.
    if (next == sample.size()) next = random.below(draws, sample.size());
    ++draws;
    chosen.push_back(next);
    sample.include(std::span(chosen).last(1), exec);
  }
}

/// k-means++ over a sample of at most `most` points. O(most k d).
template <scalar T>
std::vector<std::size_t> kmeans_plus_plus(const point_set<T>& points, std::size_t k, std::size_t most,
                                          const random_stream& random, const random_stream& sampling,
                                          executor_ref exec) {
  potentials<T> sample(points, spread_indices(points, most, sampling));
  std::vector<std::size_t> chosen;
  draw_one_by_one(sample, k, random, 0, chosen, exec);
  for (std::size_t& c : chosen) c = sample.index(c);
  return chosen;
}

/// How many, by weight, of a sample are nearest to each of the candidates.
template <scalar T>
std::vector<T> shares_of(const point_set<T>& points, const potentials<T>& sample, std::span<const T> candidates,
                         executor_ref exec) {
  const std::size_t d = points.d();
  std::vector<std::uint16_t> codes(sample.size());
  const codeword_columns<T> columns(candidates, d, bitpq::kernels<T>());
  constexpr std::size_t chunk = 1024;
  const std::size_t each = columns.scratch() + chunk * d;
  aligned_buffer<T> scratch(exec.concurrency() * each);
  exec.bulk(ceil_div(sample.size(), chunk), [&](std::size_t worker, std::size_t task) {
    const std::size_t first = task * chunk, n = (std::min)(chunk, sample.size() - first);
    T* const own = scratch.data() + worker * each;
    T* const rows = own + columns.scratch();
    for (std::size_t s = 0; s < n; ++s) points.copy(sample.index(first + s), rows + s * d);
    columns.nearest({rows, static_cast<std::ptrdiff_t>(d)}, n, own, codes.data() + first);
  });
  std::vector<double> shares(candidates.size() / d);
  for (std::size_t s = 0; s < sample.size(); ++s) shares[codes[s]] += points.weight(sample.index(s));
  const double heaviest = *std::max_element(shares.begin(), shares.end());
  std::vector<T> relative;
  for (const double share : shares) relative.push_back(static_cast<T>(share / heaviest));
  return relative;
}

/// k-means|| over a sample of at most `most` points: five rounds draw about k points each, independently and by their
/// potentials before the round; k-means++ then chooses k of them, weighted by how many points are nearest to each.
/// O(5 most k d), of which threads share all but the last step.
template <scalar T>
aligned_buffer<T> kmeans_parallel(const point_set<T>& points, std::size_t k, std::size_t most,
                                  const random_stream& random, const random_stream& sampling, executor_ref exec) {
  constexpr std::size_t rounds = 5;
  potentials<T> sample(points, spread_indices(points, most, sampling));
  std::vector<std::size_t> chosen;
  std::uint64_t draws = 0;
  draw_one_by_one(sample, 1, random, draws++, chosen, exec);
  for (std::size_t round = 0; round < rounds; ++round) {
    const std::size_t before = chosen.size();
    if (!(sample.total() > 0)) break;  // every point is where a chosen one is
    const double scale = static_cast<double>(k) / sample.total();
    for (std::size_t s = 0; s < sample.size(); ++s)
      if (random.uniform(draws++) < scale * sample.value(s) && chosen.size() < max_codewords) chosen.push_back(s);
    if (chosen.size() == before) break;
    sample.include(std::span(chosen).subspan(before), exec);
  }
  const bool few = chosen.size() <= k;
  if (few) draw_one_by_one(sample, k, random, draws, chosen, exec);
  for (std::size_t& c : chosen) c = sample.index(c);  // from here on numbers of points
  const aligned_buffer<T> candidates = codewords_at(points, chosen);
  if (few) return candidates;
  const std::vector<T> shares = shares_of<T>(points, sample, candidates.span(), exec);
  const point_set<T> reduced(weighted_points<T>{candidates.span(), shares, points.d()});
  const random_stream last(random.bits(draws), 0);
  return codewords_at<T>(reduced, kmeans_plus_plus(reduced, k, chosen.size(), last, last, exec));
}

/// k x d codewords, k <= n, of run number `run`. O(k) at random, see above for the others. Throws bad_shape when there
/// are not k given ones.
template <scalar T>
aligned_buffer<T> seed_codewords(const point_set<T>& points, std::size_t k, const kmeans_params& params,
                                 std::size_t run, const whitening& white, executor_ref exec) {
  const random_stream random(params.seed, 1 + 4 * run), sampling(params.seed, 2 + 4 * run);
  const std::size_t most = params.seeding_sample == 0 || params.seeding_sample > points.size() / k
                               ? points.size()
                               : k * params.seeding_sample;
  switch (params.seeding) {
    case seeding_method::random: return codewords_at<T>(points, distinct_indices(k, points.size(), random));
    case seeding_method::kmeans_plus_plus:
      return codewords_at<T>(points, kmeans_plus_plus(points, k, most, random, sampling, exec));
    case seeding_method::kmeans_parallel: return kmeans_parallel(points, k, most, random, sampling, exec);
    case seeding_method::given: break;
  }
  require(params.initial.size() == k * points.d(), errc::bad_shape, params.initial.size(),
          " initial codeword elements for ", k, " clusters of ", points.d(), " dimensions");
  aligned_buffer<T> codewords(params.initial.size());
  for (std::size_t i = 0; i < codewords.size(); ++i) codewords[i] = static_cast<T>(params.initial[i]);
  white.apply(codewords.span(), points.d());
  return codewords;
}

/// The same for contiguous points in the Euclidean metric, by any method but `given`.
template <scalar T>
aligned_buffer<T> seed_codewords(const weighted_points<T>& points, std::size_t k, seeding_method method,
                                 std::uint64_t seed, executor_ref exec) {
  kmeans_params params;
  params.seeding = method;
  params.seed = seed;
  return seed_codewords(point_set<T>(points), k, params, 0, {}, exec);
}

}  // namespace detail
}  // namespace v1
}  // namespace bitpq
