// SPDX-License-Identifier: Apache-2.0
#pragma once

// Compressed layers of any format with random codes and codewords, and their comparison bit for bit.

#include <bitpq/core/random.hpp>
#include <bitpq/io/compressed_model.hpp>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

namespace bitpq_test {

/// Weights of that format with random codes, and row scales of that type if one is given; the first code of all is the
/// last codeword.
template <bitpq::scalar T>
bitpq::pq_matrix<T> random_weights(const bitpq::code_format& f, bitpq::codeword_type type, std::uint64_t seed,
                                   std::optional<bitpq::codeword_type> row_scale = std::nullopt) {
  f.validate();
  const bitpq::random_stream values(seed, 1);
  const bitpq::random_stream choices(seed, 2);
  std::vector<T> words(f.books() * f.codewords * f.block_size), scales(row_scale ? f.rows : 0);
  for (std::size_t r = 0; r < scales.size(); ++r) scales[r] = static_cast<T>(values.normal(words.size() + r));
  for (std::size_t i = 0; i < words.size(); ++i) words[i] = static_cast<T>(values.normal(i));
  if (words.size() > 1) words[1] = T(-0.0);
  std::vector<std::uint16_t> codes(f.codes());
  for (std::size_t i = 0; i < codes.size(); ++i)
    codes[i] = static_cast<std::uint16_t>(i == 0 ? f.codewords - 1 : choices.below(i, f.codewords));
  return {f.rows,
          f.cols,
          bitpq::codebook<T>(words, f.books(), f.codewords, f.block_size, type),
          bitpq::packed_codes(f.code_bits(), codes),
          f.stages,
          bitpq::row_scales<T>(scales, row_scale.value_or(bitpq::codeword_type::f16))};
}

template <class T>
bool same_bits(std::span<const T> a, std::span<const T> b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size_bytes()) == 0);
}

/// The same codes, codewords, scales and type, bit for bit.
template <bitpq::scalar T>
bool same_bits(const bitpq::pq_matrix<T>& a, const bitpq::pq_matrix<T>& b) {
  return a.format() == b.format() && a.codes() == b.codes() && a.book().type() == b.book().type() &&
         same_bits(a.book().values(), b.book().values()) && same_bits(a.book().scales(), b.book().scales()) &&
         a.scales().type() == b.scales().type() && same_bits(a.scales().values(), b.scales().values());
}

template <bitpq::scalar T>
bool same_bits(const bitpq::compressed_model<T>& a, const bitpq::compressed_model<T>& b) {
  const auto same_layer = [](const auto& x, const auto& y) {
    return x.first == y.first && x.second.geometry == y.second.geometry && same_bits(x.second.weight, y.second.weight);
  };
  return a.tensors() == b.tensors() && a.metadata() == b.metadata() &&
         std::equal(a.layers().begin(), a.layers().end(), b.layers().begin(), b.layers().end(), same_layer);
}

/// One layer of each kind with tails, odd sizes and all codeword types, one with stages and row scales, and some dense
/// tensors.
template <bitpq::scalar T>
bitpq::compressed_model<T> small_model() {
  using bitpq::codeword_type;
  using bitpq::layer_geometry;
  bitpq::compressed_model<T> model;
  bitpq::conv2d_options options;
  options.stride = {2, 1};
  options.padding = {1, 0};
  options.dilation = {1, 2};
  options.groups = 2;
  model.add_layer("stem.weight", layer_geometry::conv2d(6, 4, {3, 3}, options),
                  random_weights<T>({6, 18, 9, 5, 1}, codeword_type::f16, 1));
  model.add_layer("mid.weight", layer_geometry::conv2d(5, 7, {1, 1}),
                  random_weights<T>({5, 7, 2, 3, 2}, codeword_type::i8, 2));
  model.add_layer("head.weight", layer_geometry::linear(10, 13),
                  random_weights<T>({10, 13, 4, 16, 4}, codeword_type::f32, 3));
  model.add_layer("sum.weight", layer_geometry::linear(4, 11),
                  random_weights<T>({4, 11, 3, 5, 2, 2}, codeword_type::i8, 4, codeword_type::f16));
  const std::vector<T> bias = {T{1}, T{-2.5}, T{0.25}};
  model.add_tensor("head.bias", {3}, bias);
  model.add_tensor("norm.mean", {3, 1}, bias, bitpq::dtype::f16);
  model.add_tensor("steps", {bitpq::dtype::i64, {}, std::vector<std::byte>(8, std::byte{7})});
  model.set_metadata("trained_on", "nothing");
  return model;
}

}  // namespace bitpq_test
