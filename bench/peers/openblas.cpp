// SPDX-License-Identifier: Apache-2.0

// OpenBLAS' sgemm and sgemv on the decoded weights, with weights and activations in whichever layout suits it best.
// Rows: gemm/openblas/<in>x<out>x<columns>/d<block size>/k<codewords>
//       gemv/openblas/<in>x<out>/d<block size>/k<codewords>/<f32 or lut16>[/cold]

#include "peers/products.hpp"

#include <cblas.h>

namespace {

using bench::product;
using bench::product_fixture;
using bench::side;

constexpr double peer_bound = 1e-5;

int blas(std::size_t n) { return static_cast<int>(n); }

/// y = W x with weights stored row by row or column by column, activations with columns or tokens contiguous.
struct sgemm {
  const product& p;
  const std::vector<float>& weights;
  const std::vector<float>& input;
  std::vector<float>& output;
  bool weights_transposed, tokens_as_rows;

  void operator()() const {
    const auto stored = weights_transposed ? CblasTrans : CblasNoTrans;
    const int out = blas(p.out), in = blas(p.in), columns = blas(p.columns);
    if (tokens_as_rows)  // y' = x' W'
      cblas_sgemm(CblasRowMajor, CblasNoTrans, weights_transposed ? CblasNoTrans : CblasTrans, columns, out, in, 1.0F,
                  input.data(), in, weights.data(), weights_transposed ? out : in, 0.0F, output.data(), out);
    else
      cblas_sgemm(CblasRowMajor, stored, CblasNoTrans, out, columns, in, 1.0F, weights.data(),
                  weights_transposed ? out : in, input.data(), columns, 0.0F, output.data(), columns);
  }
};

void gemm(benchmark::State& state, const product& p) {
  openblas_set_num_threads(1);
  product_fixture f(p);
  const std::vector<float> turned = bench::transposed(f.dense, p.out, p.in);
  const std::vector<float> tokens = bench::transposed(f.input, p.in, p.columns);
  std::vector<float> output(f.output.size());
  std::vector<side> layouts;
  for (const bool weights_transposed : {false, true})
    for (const bool rows : {false, true})
      layouts.push_back(
          {sgemm{p, weights_transposed ? turned : f.dense, rows ? tokens : f.input, output, weights_transposed, rows},
           [&, rows] { return f.expected.error(output.data(), rows ? 1 : p.columns, rows ? p.out : 1); }, peer_bound});
  bench::compare(state, f.amount(), bench::fastest(layouts), f.ours());
}

/// A matrix times a vector, by one copy of the weights or, cold, by each of several in turn.
struct sgemv {
  const product& p;
  const std::vector<std::vector<float>>& copies;
  const std::vector<float>& input;
  std::vector<float>& output;
  bool weights_transposed;
  mutable std::size_t call = 0;

  void operator()() const {
    const float* const w = copies[call++ % copies.size()].data();
    if (weights_transposed)
      cblas_sgemv(CblasRowMajor, CblasTrans, blas(p.in), blas(p.out), 1.0F, w, blas(p.out), input.data(), 1, 0.0F,
                  output.data(), 1);
    else
      cblas_sgemv(CblasRowMajor, CblasNoTrans, blas(p.out), blas(p.in), 1.0F, w, blas(p.in), input.data(), 1, 0.0F,
                  output.data(), 1);
  }
};

/// So many that together they take three times the last cache.
std::size_t cold_copies(std::size_t bytes) { return bitpq::ceil_div(3 * bench::last_cache_size(), bytes); }

void gemv(benchmark::State& state, const product& p, bitpq::precision precision, bool cold) {
  openblas_set_num_threads(1);
  product_fixture f(p, precision);
  std::vector<float> output(f.output.size());
  const std::size_t dense_copies = cold ? cold_copies(f.dense.size() * sizeof(float)) : 1;
  const std::vector<std::vector<float>> plain(dense_copies, f.dense);
  const std::vector<std::vector<float>> turned(dense_copies, bench::transposed(f.dense, p.out, p.in));
  const auto error = [&] { return f.expected.error(output.data(), 1); };
  const side peer = bench::fastest({{sgemv{p, plain, f.input, output, false}, error, peer_bound},
                                    {sgemv{p, turned, f.input, output, true}, error, peer_bound}});
  side ours = f.ours();
  const std::vector<bitpq::prepacked_matrix<float>> copies(cold ? cold_copies(f.codes.bytes()) : 0, f.codes);
  if (cold) ours.call = [&, i = std::size_t{0}]() mutable { f.multiply(copies[i++ % copies.size()]); };
  bench::compare(state, f.amount(), peer, ours);
}

const int registered = [] {
  benchmark::AddCustomContext("openblas", openblas_get_config());
  benchmark::AddCustomContext("openblas_core", openblas_get_corename());
  for (const product& p : bench::products())
    bench::add_row("gemm/openblas/" + name_of(p), [p](benchmark::State& state) { gemm(state, p); });
  for (const product& p : bench::matrix_vector_products())
    for (const auto precision : {bitpq::precision::exact, bitpq::precision::lut16})
      for (const bool cold : {false, true})
        bench::add_row("gemv/openblas/" + name_of(p) + "/" + bench::suffix_of(precision) + (cold ? "/cold" : ""),
                       [=](benchmark::State& state) { gemv(state, p, precision, cold); });
  return 0;
}();

}  // namespace
