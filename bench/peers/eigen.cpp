// SPDX-License-Identifier: Apache-2.0

// Eigen's product on the decoded weights, activations in whichever order suits it best. Left out where bitpq is held to
// narrower vectors than Eigen was compiled for. Rows: gemm/eigen/<in>x<out>x<columns>/d<block size>/k<codewords>

#include "peers/eigen_product.hpp"
#include "peers/products.hpp"

namespace {

using bench::product;

void gemm(benchmark::State& state, const product& p) {
  bench::product_fixture f(p);
  const std::vector<float> tokens = bench::transposed(f.input, p.in, p.columns);
  std::vector<float> output(f.output.size());
  const auto in_order = [&](bool column_major) {
    return bench::side{[&, column_major] {
                         bench::eigen_product(f.dense.data(), (column_major ? tokens : f.input).data(), output.data(),
                                              p.out, p.in, p.columns, column_major);
                       },
                       [&, column_major] {
                         return f.expected.error(output.data(), column_major ? 1 : p.columns, column_major ? p.out : 1);
                       },
                       1e-5};
  };
  bench::compare(state, f.amount(), bench::fastest({in_order(false), in_order(true)}), f.ours());
}

const int registered = [] {
  if (bench::eigen_lanes() > bitpq::kernels<float>().lanes) return 0;
  benchmark::AddCustomContext("eigen", bench::eigen_version());
  for (const product& p : bench::products())
    bench::add_row("gemm/eigen/" + name_of(p), [p](benchmark::State& state) { gemm(state, p); });
  return 0;
}();

}  // namespace
