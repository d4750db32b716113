// SPDX-License-Identifier: Apache-2.0

#include "support/bad_inputs.hpp"
#include "support/layers.hpp"

#include <limits>

using bitpq::aligned_buffer;
using bitpq::errc;
using bitpq::importance;
using bitpq::layer_geometry;
using bitpq::matrix_view;
using bitpq::pq_metric;
using bitpq::pq_params;
using bitpq::product_quantizer;

namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr double inf = std::numeric_limits<double>::infinity();

pq_params plain() {
  pq_params params;
  params.block_size = 4;
  params.codewords = 4;
  params.metric = pq_metric::weights;
  return params;
}

/// A quantizer of changed parameters, trained on 6 x 10 weights and, where asked for, encoding others.
template <class Change>
std::function<void()> quantizing(Change change, std::vector<float> w = std::vector<float>(60, 1.0F),
                                 std::size_t rows = 6) {
  return [=] {
    pq_params params = plain();
    change(params);
    product_quantizer<float> quantizer(params);
    quantizer.train({w.data(), rows, w.size() / rows});
  };
}

std::function<void()> moments(std::size_t groups, std::size_t cols, std::vector<double> values) {
  return [=] { static_cast<void>(importance(groups, cols, aligned_buffer<double>(std::span<const double>(values)))); };
}

importance identity(std::size_t groups, std::size_t cols) {
  aligned_buffer<double> values(groups * cols * cols);
  for (std::size_t i = 0; i < groups * cols; ++i) values[i * cols + i % cols] = 1;
  return {groups, cols, values};
}

const std::vector<float>& ones() {
  static const std::vector<float> values(240, 1.0F);
  return values;
}

matrix_view<const float> ones(std::size_t rows, std::size_t cols) { return {ones().data(), rows, cols}; }

void nothing(pq_params&) {}

}  // namespace

TEST_CASE("a product quantizer refuses bad parameters and weights") {
  std::vector<float> broken(60, 1.0F);
  broken[23] = static_cast<float>(not_a_number);
  bitpq_test::check_bad_inputs({
      {errc::bad_params, "block size 0", quantizing([](pq_params& p) { p.block_size = 0; })},
      {errc::bad_params, "block size 11 is outside 1 .. 10, the columns of the weight matrix",
       quantizing([](pq_params& p) { p.block_size = 11; })},
      {errc::bad_params, "clusters 0 outside 1 .. 65536", quantizing([](pq_params& p) { p.codewords = 0; })},
      {errc::bad_params, "clusters 65537 outside 1 .. 65536", quantizing([](pq_params& p) { p.codewords = 65537; })},
      {errc::bad_params, "max_iterations 0 is below 1", quantizing([](pq_params& p) { p.max_iterations = 0; })},
      {errc::bad_params, "tolerance -1 is not a finite number >= 0",
       quantizing([](pq_params& p) { p.tolerance = -1; })},
      {errc::bad_params, "damping -0.5 is not a finite number >= 0",
       quantizing([](pq_params& p) { p.damping = -0.5; })},
      {errc::bad_params, "damping inf is not a finite number >= 0", quantizing([](pq_params& p) { p.damping = inf; })},
      {errc::bad_params, "column_groups 0 is below 1", quantizing([](pq_params& p) { p.column_groups = 0; })},
      {errc::bad_params, "column_groups 2 without codebook_scope::column_groups",
       quantizing([](pq_params& p) { p.column_groups = 2; })},
      {errc::bad_params, "4 codebooks do not share out 3 block positions evenly", quantizing([](pq_params& p) {
         p.scope = bitpq::codebook_scope::column_groups;
         p.column_groups = 4;
       })},
      {errc::bad_params, "19 clusters exceed 18 points",
       quantizing(
           [](pq_params& p) {
             p.limit = bitpq::cluster_limit::strict;
             p.codewords = 19;
             p.block_size = 3;
           },
           std::vector<float>(54, 1.0F))},
      {errc::bad_params, "f64 codewords in a codebook of float",
       quantizing([](pq_params& p) { p.storage = bitpq::codeword_type::f64; })},
      {errc::non_finite, "weights holds nan at (2, 3)", quantizing(nothing, broken)},
      {errc::non_finite, "codebook holds 1e+06 at 0, beyond fp16's range of 65504",
       quantizing(nothing, std::vector<float>(60, 1e6F))},
      {errc::bad_shape, "weight matrix of 0 x 7",
       [] { product_quantizer<float>(plain()).train(matrix_view<const float>(nullptr, 0, 7)); }},
      {errc::bad_params, "pq_metric::gram without statistics of the inputs",
       quantizing([](pq_params& p) { p.metric = pq_metric::gram; })},
      {errc::bad_params, "block size 4 in a product_quantizer of block size 9",
       [] { static_cast<void>(product_quantizer<float, 9>(plain())); }},
      {errc::bad_params, "product_quantizer is not trained",
       [] { static_cast<void>(product_quantizer<float>(plain()).encode(ones(6, 10))); }},
      {errc::bad_shape, "encoding weights of 6 x 9 by a product_quantizer trained on 10 columns",
       [] {
         product_quantizer<float> quantizer(plain());
         quantizer.train(ones(6, 10));
         static_cast<void>(quantizer.encode(ones(6, 9)));
       }},
      {errc::bad_shape, "encoding weights of 0 x 10 by a product_quantizer trained on 10 columns",
       [] {
         product_quantizer<float> quantizer(plain());
         quantizer.train(ones(6, 10));
         static_cast<void>(quantizer.encode(matrix_view<const float>(nullptr, 0, 10)));
       }},
      {errc::non_finite, "weights holds nan at (2, 3)",
       [broken] {
         product_quantizer<float> quantizer(plain());
         quantizer.train(ones(6, 10));
         static_cast<void>(quantizer.encode({broken.data(), 6, 10}));
       }},
  });
}

TEST_CASE("statistics are refused unless they are second moments of the layer's inputs") {
  const importance two_groups = identity(2, 10), narrow = identity(1, 9), five_groups = identity(5, 10);
  const layer_geometry g = layer_geometry::linear(6, 10);
  pq_params gram = plain();
  gram.metric = pq_metric::gram;
  const auto compressing = [gram, g](const importance* h) {
    return [=] { static_cast<void>(bitpq::compress<float>(g, ones(6, 10), h, gram)); };
  };
  bitpq_test::check_bad_inputs({
      {errc::bad_shape, "second moments of 1 x 2 x 2 given 3 elements", moments(1, 2, {1, 0, 0})},
      {errc::bad_shape, "second moments of 0 x 2 x 2 given 0 elements", moments(0, 2, {})},
      {errc::bad_shape, "second moments of 1 x 0 x 0 given 0 elements", moments(1, 0, {})},
      {errc::bad_params, "second moments hold -1 on the diagonal at 1", moments(1, 2, {1, 0, 0, -1})},
      {errc::bad_params, "second moments are not symmetric: 0.5 at (1, 0), 0.25 at (0, 1)",
       moments(1, 2, {1, 0.25, 0.5, 1})},
      {errc::non_finite, "second moments holds nan at (1, 0)", moments(2, 2, {1, 0, 0, 1, 1, 0, not_a_number, 1})},
      {errc::bad_shape, "weights of 6 x 10 with second moments of 1 x 9 x 9",
       [&] { product_quantizer<float>(gram).train(ones(6, 10), &narrow); }},
      {errc::bad_shape, "weights of 6 x 10 with second moments of 5 x 10 x 10",
       [&] { product_quantizer<float>(gram).train(ones(6, 10), &five_groups); }},
      {errc::bad_shape, "second moments of 2 x 10 for a layer of 1 groups of 10 columns", compressing(&two_groups)},
      {errc::bad_shape, "second moments of 1 x 9 for a layer of 1 groups of 10 columns", compressing(&narrow)},
      {errc::bad_params, "pq_metric::gram without statistics of the inputs", compressing(nullptr)},
      {errc::bad_shape, "weights of 5 x 10 for a layer of 6 x 10",
       [&] { static_cast<void>(bitpq::compress<float>(g, ones(5, 10), nullptr, plain())); }},
      {errc::bad_params, "no calibration input for a layer of 10 inputs and 6 outputs",
       [&] { static_cast<void>(bitpq::gram_accumulator(g).finish()); }},
      {errc::bad_shape, "layer of 0 inputs and 3 outputs",
       [] {
         static_cast<void>(bitpq::gram_accumulator(layer_geometry{layer_geometry::kind::linear, 3, 0}));
       }},
      {errc::bad_shape, "kernel height 3 exceeds the padded input's 2 + 2 x 0",
       [] {
         bitpq::gram_accumulator sums(layer_geometry::conv2d(2, 1, {3, 3}));
         sums.add(bitpq::nchw_view<const float>(ones().data(), 1, 1, 2, 6));
       }},
      {errc::bad_shape, "a convolution over an image of 0 x 6",
       [] {
         bitpq::gram_accumulator sums(layer_geometry::conv2d(2, 1, {1, 1}, {.padding = {1, 1}}));
         sums.add(bitpq::nchw_view<const float>(ones().data(), 1, 1, 0, 6));
       }},
      {errc::bad_shape, "weights of 6 x 9 with second moments of 2 x 10 x 10",
       [&] { static_cast<void>(bitpq::output_energy<float>(ones(6, 9), two_groups)); }},
      {errc::bad_shape, "weights of 5 x 10 with second moments of 2 x 10 x 10",
       [&] { static_cast<void>(bitpq::output_energy<float>(ones(5, 10), two_groups)); }},
      {errc::bad_shape, "weights of 5 x 10 with second moments of 0 x 0 x 0",
       [] { static_cast<void>(bitpq::output_energy<float>(ones(5, 10), importance())); }},
  });
}

TEST_CASE("a cancelled compression says so") {
  pq_params params = plain();
  params.progress = [](const bitpq::progress&) { return false; };
  bitpq_test::expect_error(errc::cancelled, "cancelled while training codebook 0 of 1", [&] {
    static_cast<void>(bitpq::compress<float>(layer_geometry::linear(6, 10), ones(6, 10), nullptr, params));
  });
}

TEST_CASE("errors of codes are refused for weights of another shape") {
  product_quantizer<float> quantizer(plain());
  quantizer.train(ones(6, 10));
  const bitpq::pq_matrix<float> codes = quantizer.encode(ones(6, 10));
  const importance h = identity(1, 10);
  bitpq_test::check_bad_inputs({
      {errc::bad_shape, "weights of 10 x 6 against codes of 6 x 10",
       [&] { static_cast<void>(bitpq::relative_weight_error<float>(ones(10, 6), codes)); }},
      {errc::bad_shape, "weights of 6 x 9 against codes of 6 x 10",
       [&] { static_cast<void>(bitpq::relative_output_error<float>(ones(6, 9), codes, h)); }},
      {errc::bad_shape, "decoding 6 x 10 weights into 10 x 6",
       [&] {
         std::vector<float> out(60);
         product_quantizer<float>::decode(codes, {out.data(), 10, 6});
       }},
  });
}
