// SPDX-License-Identifier: Apache-2.0

// faiss' product quantizer, whose inner products of a query with many codes are a compressed matrix times a vector:
// a codebook per block position, a table of the query's inner products, a look-up per code. Once through its distance
// computer, which yields every product as bitpq does, and once through its search for the largest, which need not write
// them; whichever is faster. Rows: gemv/faiss/<in>x<out>/d<block size>/k256/<f32 or lut16>
// (K = 16 has no counterpart: the 4-bit scan of faiss rounds tables to 8 bits and returns only the nearest.)

#include "peers/products.hpp"

#include <faiss/IndexPQ.h>
#include <omp.h>

namespace {

using bench::product;
using bench::side;

/// The index that holds the same codewords and codes.
faiss::IndexPQ index_of(const bench::product_fixture& f) {
  const auto blocks = f.matrix.format().blocks();
  faiss::IndexPQ index(static_cast<int>(f.shape.in), blocks, 8, faiss::METRIC_INNER_PRODUCT);
  const auto words = f.matrix.book().values();
  index.pq.centroids.assign(words.begin(), words.end());
  index.is_trained = true;
  index.ntotal = static_cast<faiss::Index::idx_t>(f.shape.out);
  index.codes.resize(f.shape.out * blocks);
  for (std::size_t r = 0; r < f.shape.out; ++r)
    for (std::size_t j = 0; j < blocks; ++j)
      index.codes[r * blocks + j] = static_cast<std::uint8_t>(f.matrix.code(r, j));
  return index;
}

void gemv(benchmark::State& state, const product& p, bitpq::precision precision) {
  omp_set_num_threads(1);
  bench::product_fixture f(p, precision, p.in / p.block_size);
  const faiss::IndexPQ index = index_of(f);
  std::vector<float> output(f.output.size());
  const std::unique_ptr<faiss::FlatCodesDistanceComputer> computer(index.get_FlatCodesDistanceComputer());
  const auto all = [&] {
    computer->set_query(f.input.data());
    for (std::size_t r = 0; r < p.out; ++r) output[r] = (*computer)(static_cast<faiss::Index::idx_t>(r));
  };
  const auto largest = [&] {
    float value = 0;
    faiss::Index::idx_t row = 0;
    index.search(1, f.input.data(), 1, &value, &row);
  };
  const auto error = [&] { return f.expected.error(output.data(), 1); };
  all();
  const side peer = bench::fastest({{all, error, 1e-5, "distance computer"}, {largest, error, 1e-5, "search"}});
  bench::compare(state, f.amount(), peer, f.ours());
}

const int registered = [] {
  benchmark::AddCustomContext("faiss", std::to_string(FAISS_VERSION_MAJOR) + "." + std::to_string(FAISS_VERSION_MINOR) +
                                           "." + std::to_string(FAISS_VERSION_PATCH));
  for (const product& p : bench::matrix_vector_products())
    for (const auto precision : {bitpq::precision::exact, bitpq::precision::lut16})
      if (p.codewords == 256)
        bench::add_row("gemv/faiss/" + name_of(p) + "/" + bench::suffix_of(precision),
                       [=](benchmark::State& state) { gemv(state, p, precision); });
  return 0;
}();

}  // namespace
