// SPDX-License-Identifier: Apache-2.0

// oneDNN's matmul on the decoded weights, which it may take as either operand.
// Rows: gemm/onednn/<in>x<out>x<columns>/d<block size>/k<codewords>

#include "peers/onednn.hpp"
#include "peers/products.hpp"

#include <omp.h>

namespace {

using bench::product;
using bench::side;
using bench::tag;

dnnl::memory::desc matrix(std::size_t rows, std::size_t cols, tag t) {
  return {{static_cast<dnnl::memory::dim>(rows), static_cast<dnnl::memory::dim>(cols)}, bench::type::f32, t};
}

/// y = W x, or y' = x' W'.
bench::onednn_call matmul(const bench::product_fixture& f, bool weights_first) {
  const auto [in, out, columns, block_size, codewords] = f.shape;
  const std::size_t rows = weights_first ? out : columns, cols = weights_first ? columns : out;
  const dnnl::matmul::primitive_desc d(
      {matrix(rows, in, tag::any), matrix(in, cols, tag::any), matrix(rows, cols, tag::any)}, bench::onednn_engine());
  const auto w = [&](const auto& desc) {
    return bench::placed(f.dense, weights_first ? matrix(out, in, tag::ab) : matrix(in, out, tag::ba), desc);
  };
  const auto x = [&](const auto& desc) {
    return bench::placed(f.input, weights_first ? matrix(in, columns, tag::ab) : matrix(columns, in, tag::ba), desc);
  };
  return weights_first ? bench::prepared(d, w(d.src_desc()), x(d.weights_desc()))
                       : bench::prepared(d, x(d.src_desc()), w(d.weights_desc()));
}

void gemm(benchmark::State& state, const product& p) {
  omp_set_num_threads(1);
  bench::product_fixture f(p);
  std::vector<side> operands;
  for (const bool weights_first : {true, false}) {
    const bench::onednn_call call = matmul(f, weights_first);
    const auto plain = weights_first ? matrix(p.out, p.columns, tag::ab) : matrix(p.columns, p.out, tag::ba);
    operands.push_back(
        {call,
         [&f, call, plain] { return f.expected.error(bench::values_of(call.result(), plain).data(), f.shape.columns); },
         1e-5, call.implementation});
  }
  bench::compare(state, f.amount(), bench::fastest(operands), f.ours());
}

const int registered = [] {
  for (const product& p : bench::products())
    bench::add_row("gemm/onednn/" + name_of(p), [p](benchmark::State& state) { gemm(state, p); });
  return 0;
}();

}  // namespace
