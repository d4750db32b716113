// SPDX-License-Identifier: Apache-2.0

// oneDNN's matmul on the decoded weights, which it may take as either operand.
// Rows: gemm/onednn/<in>x<out>x<columns>/d<block size>/k<codewords>[/int8]   against oneDNN in f32
//       gemm/onednn-int8/<in>x<out>x<columns>/d<block size>/k256/int8        against oneDNN in int8

#include "peers/onednn.hpp"
#include "peers/products.hpp"

#include <omp.h>

namespace {

using bench::product;
using bench::side;
using bench::tag;
using bench::type;
using bitpq::precision;

dnnl::memory::desc matrix(std::size_t rows, std::size_t cols, type t, tag layout) {
  return {{static_cast<dnnl::memory::dim>(rows), static_cast<dnnl::memory::dim>(cols)}, t, layout};
}

/// y = W x, or y' = x' W'.
bench::onednn_call matmul(const bench::product_fixture& f, bool weights_first, bool in_int8) {
  const std::size_t in = f.shape.in, out = f.shape.out, columns = f.shape.columns;
  const std::size_t rows = weights_first ? out : columns, cols = weights_first ? columns : out;
  const type operand = in_int8 ? type::s8 : type::f32;
  dnnl::primitive_attr attributes;
  if (in_int8) attributes.set_output_scales(0, {bench::quantized(f.dense).scale * bench::quantized(f.input).scale});
  const dnnl::matmul::primitive_desc d({matrix(rows, in, operand, tag::any), matrix(in, cols, operand, tag::any),
                                        matrix(rows, cols, type::f32, tag::any)},
                                       attributes, bench::onednn_engine());
  const auto place = [&](const std::vector<float>& values, const auto& plain, const auto& wanted) {
    return in_int8 ? bench::placed(bench::quantized(values).values, plain, wanted)
                   : bench::placed(values, plain, wanted);
  };
  const tag layout = weights_first ? tag::ab : tag::ba;
  return bench::prepared(d, place(weights_first ? f.dense : f.input, matrix(rows, in, operand, layout), d.src_desc()),
                         place(weights_first ? f.input : f.dense, matrix(in, cols, operand, layout), d.weights_desc()));
}

void gemm(benchmark::State& state, const product& p, precision ours, bool peer_in_int8) {
  omp_set_num_threads(1);
  bench::product_fixture f(p, ours);
  std::vector<side> operands;
  for (const bool weights_first : {true, false}) {
    const bench::onednn_call call = matmul(f, weights_first, peer_in_int8);
    const auto plain =
        weights_first ? matrix(p.out, p.columns, type::f32, tag::ab) : matrix(p.columns, p.out, type::f32, tag::ba);
    operands.push_back(
        {call,
         [&f, call, plain] { return f.expected.error(bench::values_of(call.result(), plain).data(), f.shape.columns); },
         bench::bound_of(peer_in_int8 ? precision::int8 : precision::exact), call.implementation});
  }
  bench::compare(state, f.amount(), bench::fastest(operands), f.ours());
}

void add(const product& p, precision ours, bool peer_in_int8) {
  bench::add_row(std::string(peer_in_int8 ? "gemm/onednn-int8/" : "gemm/onednn/") + name_of(p) +
                     (ours == precision::int8 ? "/int8" : ""),
                 [=](benchmark::State& state) { gemm(state, p, ours, peer_in_int8); });
}

const int registered = [] {
  for (const product& p : bench::products()) {
    add(p, precision::exact, false);
    if (p.codewords != 256) continue;
    for (const bool peer_in_int8 : {false, true}) add(p, precision::int8, peer_in_int8);
  }
  return 0;
}();

}  // namespace
