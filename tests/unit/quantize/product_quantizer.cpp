// SPDX-License-Identifier: Apache-2.0

#include "support/catch.hpp"
#include "support/expect_error.hpp"
#include "support/guarded_array.hpp"
#include "support/layers.hpp"

#include <set>

using bitpq::cluster_limit;
using bitpq::codebook_scope;
using bitpq::codeword_type;
using bitpq::layer_geometry;
using bitpq::matrix_view;
using bitpq::pq_metric;
using bitpq::pq_params;
using bitpq::product_quantizer;
using bitpq_test::same_weights;

namespace {

pq_params plain(std::size_t block_size, std::size_t codewords) {
  pq_params params;
  params.block_size = block_size;
  params.codewords = codewords;
  params.limit = cluster_limit::points;
  params.metric = pq_metric::weights;
  params.storage = codeword_type::f32;
  return params;
}

template <class T>
matrix_view<const T> view_of(const std::vector<T>& w, std::size_t rows) {
  return {w.data(), rows, w.size() / rows};
}

template <int D>
bitpq::pq_matrix<float> encoded(const pq_params& params, const std::vector<float>& w, std::size_t rows) {
  product_quantizer<float, D> quantizer(params);
  quantizer.train(view_of(w, rows));
  return quantizer.encode(view_of(w, rows));
}

}  // namespace

TEST_CASE("weights made of a few blocks are coded without loss") {
  const std::vector<float> words{1, 2, 3, -1, 0, 5, 7, 7, 7, 0, 0, -2};  // four codewords of three
  const std::vector<std::uint16_t> codes = bitpq_test::random_codes(20 * 5, 4, 1);
  std::vector<float> w;
  for (const std::uint16_t code : codes) w.insert(w.end(), words.begin() + code * 3, words.begin() + code * 3 + 3);
  product_quantizer<float> quantizer(plain(3, 4));
  CHECK(!quantizer.trained());
  quantizer.train(view_of(w, 20));
  CHECK((quantizer.trained() && quantizer.objective() == 0));
  const bitpq::pq_matrix<float> coded = quantizer.encode(view_of(w, 20));
  CHECK((coded.rows() == 20 && coded.cols() == 15 && coded.format().codewords == 4));
  CHECK(coded.codes().bits() == 2);
  std::vector<float> back(w.size());
  product_quantizer<float>::decode(coded, {back.data(), 20, 15});
  CHECK(back == w);
}

TEST_CASE("a static block size gives what the dynamic one gives") {
  const std::vector<float> w = bitpq_test::random_values<float>(30 * 20, 2);
  CHECK(same_weights(encoded<4>(plain(4, 16), w, 30), encoded<bitpq::dynamic>(plain(4, 16), w, 30)));
  CHECK(same_weights(encoded<4>(plain(0, 16), w, 30), encoded<bitpq::dynamic>(plain(4, 16), w, 30)));
  CHECK(same_weights(encoded<9>(plain(0, 16), w, 30), encoded<bitpq::dynamic>(plain(9, 16), w, 30)));  // a tail of 2
  CHECK(product_quantizer<float, 9>(plain(0, 16)).params().block_size == 9);
}

TEST_CASE("the scope says which blocks share a codebook") {
  struct row {
    codebook_scope scope;
    std::size_t groups, codebooks, codewords;
  };
  const std::vector<float> w = bitpq_test::random_values<float>(12 * 26, 3);  // 7 block positions of 4, the last of 2
  for (const auto& [scope, groups, codebooks, codewords] : std::vector<row>{{codebook_scope::layer, 1, 1, 32},
                                                                            {codebook_scope::column_groups, 1, 1, 32},
                                                                            {codebook_scope::column_groups, 2, 2, 24},
                                                                            {codebook_scope::column_groups, 4, 4, 12},
                                                                            {codebook_scope::column_groups, 7, 7, 12},
                                                                            {codebook_scope::position, 1, 7, 12}}) {
    INFO(codebooks << " codebooks");
    pq_params params = plain(4, 32);
    params.scope = scope;
    params.column_groups = groups;
    product_quantizer<float> quantizer(params);
    quantizer.train(view_of(w, 12));
    const bitpq::pq_matrix<float> coded = quantizer.encode(view_of(w, 12));
    CHECK((coded.format().codebooks == codebooks && coded.format().codewords == codewords));
    if (codewords == 12 && codebooks == 7) CHECK(bitpq::relative_weight_error<float>(view_of(w, 12), coded) == 0);
  }
}

TEST_CASE("each block gets its nearest codeword, in the tail by the columns it has") {
  const std::vector<double> w = bitpq_test::random_values<double>(25 * 11, 4);  // blocks of 4, 4 and 3
  product_quantizer<double> quantizer(plain(4, 16));
  quantizer.train(view_of(w, 25));
  const bitpq::pq_matrix<double> coded = quantizer.encode(view_of(w, 25));
  const matrix_view<const double> words = coded.book()[0];
  for (std::size_t r = 0; r < 25; ++r)
    for (std::size_t j = 0; j < 3; ++j) {
      std::size_t nearest = 0;
      double least = std::numeric_limits<double>::infinity();
      for (std::size_t k = 0; k < 16; ++k) {
        double distance = 0;
        for (std::size_t i = 0; i < (j == 2 ? 3U : 4U); ++i) {
          const double e = w[r * 11 + j * 4 + i] - words(k, i);
          distance += e * e;
        }
        if (distance < least) {
          least = distance;
          nearest = k;
        }
      }
      REQUIRE(coded.code(r, j) == nearest);
    }
}

TEST_CASE("the smallest and the largest block sizes") {
  const std::vector<float> w = bitpq_test::random_integers<float>(10 * 6, 5, 3);
  for (const std::size_t d : std::vector<std::size_t>{1, 5, 6}) {
    const bitpq::pq_matrix<float> coded = encoded<bitpq::dynamic>(plain(d, 60), w, 10);
    CHECK(coded.format().block_size == d);
    // As many codewords as blocks, or as there are values to tell apart: nothing is lost.
    CHECK(bitpq::relative_weight_error<float>(view_of(w, 10), coded) == (d == 5 ? Approx(0).margin(0.35) : Approx(0)));
  }
}

TEST_CASE("weights are read through any strides") {
  const std::vector<float> w = bitpq_test::random_values<float>(16 * 10, 6);
  const bitpq::pq_matrix<float> want = encoded<bitpq::dynamic>(plain(3, 8), w, 16);
  for (const bitpq_test::layout order : bitpq_test::all_layouts) {
    bitpq_test::guarded_array<float, 2> array({16, 10}, order, w);
    product_quantizer<float> quantizer(plain(3, 8));
    quantizer.train(bitpq_test::view(array));
    CHECK(same_weights(quantizer.encode(bitpq_test::view(array)), want));
    CHECK((array.intact() && array.values() == w));
    bitpq_test::guarded_array<float, 2> out({16, 10}, order);
    product_quantizer<float>::decode(want, bitpq_test::view(out));
    CHECK(out.intact());
    CHECK(bitpq_test::to_eigen(bitpq_test::view(out)) == bitpq_test::weights_of(want));
  }
}

TEST_CASE("rows that it was not trained on are encoded with the same codebook") {
  const std::vector<double> w = bitpq_test::random_values<double>(40 * 9, 7);
  product_quantizer<double> quantizer(plain(3, 24));
  quantizer.train(view_of(w, 40));
  const bitpq::pq_matrix<double> whole = quantizer.encode(view_of(w, 40));
  const bitpq::pq_matrix<double> part = quantizer.encode(view_of(w, 40).block(5, 0, 11, 9));
  for (std::size_t r = 0; r < 11; ++r)
    for (std::size_t j = 0; j < 3; ++j) REQUIRE(part.code(r, j) == whole.code(r + 5, j));
  const std::vector<double> other = bitpq_test::random_values<double>(100 * 9, 8);
  const bitpq::pq_matrix<double> foreign = quantizer.encode(view_of(other, 100));
  CHECK((foreign.rows() == 100 && foreign.format().codewords == 24));
  CHECK(bitpq::relative_weight_error<double>(view_of(other, 100), foreign) < 0.5);
}

TEST_CASE("training that is cancelled leaves the quantizer as it was") {
  const std::vector<float> w = bitpq_test::random_values<float>(50 * 8, 9);
  std::size_t left = 1000;  // reports until it is cancelled
  std::vector<std::size_t> restarts;
  pq_params params = plain(4, 16);
  params.scope = codebook_scope::position;
  params.progress = [&](const bitpq::progress& report) {
    if (report.done == 0) restarts.push_back(left);
    return left-- > 0;
  };
  product_quantizer<float> quantizer(params);
  quantizer.train(view_of(w, 50));
  REQUIRE(restarts.size() == 2);
  const bitpq::pq_matrix<float> want = quantizer.encode(view_of(w, 50));
  const double objective = quantizer.objective();
  const std::size_t within_first = 0, within_second = restarts[0] - restarts[1];
  for (const auto& [reports, text] :
       std::vector<std::pair<std::size_t, std::string>>{{within_first, "cancelled while training codebook 0 of 2"},
                                                        {within_second, "cancelled while training codebook 1 of 2"}}) {
    left = reports;
    bitpq_test::expect_error(bitpq::errc::cancelled, text, [&] { quantizer.train(view_of(w, 50)); });
    CHECK(same_weights(quantizer.encode(view_of(w, 50)), want));
    CHECK(quantizer.objective() == objective);
  }
}

TEST_CASE("training that fails leaves the quantizer as it was") {
  const std::vector<float> w = bitpq_test::random_values<float>(20 * 6, 11);
  const std::vector<float> other = bitpq_test::random_values<float>(20 * 6, 12);
  std::vector<float> broken = other, huge = other;
  broken[77] = std::numeric_limits<float>::infinity();
  huge[74] = 70000;  // finite, but no fp16 number
  bitpq::aligned_buffer<double> moments(36);
  for (std::size_t i = 0; i < 6; ++i) moments[i * 7] = 1;
  const bitpq::importance good(1, 6, moments);
  moments[4 * 6 + 5] = moments[5 * 6 + 4] = 3;  // the tail block of two columns is no Gram matrix
  const bitpq::importance indefinite(1, 6, moments);
  pq_params params = plain(4, 16);
  params.metric = pq_metric::gram;
  params.storage = codeword_type::f16;
  product_quantizer<float> quantizer(params);
  quantizer.train(view_of(w, 20), &good);
  const bitpq::pq_matrix<float> want = quantizer.encode(view_of(w, 20));
  const double objective = quantizer.objective();
  bitpq_test::expect_error(bitpq::errc::non_finite, "weights holds inf at (12, 5)",
                           [&] { quantizer.train(view_of(broken, 20), &good); });
  bitpq_test::expect_error(bitpq::errc::bad_params, "Gram matrix of 2 x 2 is not positive semi-definite",
                           [&] { quantizer.train(view_of(other, 20), &indefinite); });
  CHECK_THROWS_AS(quantizer.train(view_of(huge, 20), &good), bitpq::error);
  CHECK(same_weights(quantizer.encode(view_of(w, 20)), want));
  CHECK(quantizer.objective() == objective);
}

TEST_CASE("weights that are all equal need no iteration and lose nothing") {
  for (const float value : {0.0F, -0.375F}) {
    const std::vector<float> w(30 * 10, value);
    for (const auto storage : {codeword_type::f32, codeword_type::f16, codeword_type::i8}) {
      pq_params params = plain(4, 16);
      params.storage = storage;
      product_quantizer<float> quantizer(params);
      quantizer.train(view_of(w, 30));
      const bitpq::pq_matrix<float> coded = quantizer.encode(view_of(w, 30));
      CHECK(quantizer.objective() == 0);
      CHECK(bitpq::relative_weight_error<float>(view_of(w, 30), coded) < 1e-12);
    }
  }
}
