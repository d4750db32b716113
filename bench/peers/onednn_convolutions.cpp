// SPDX-License-Identifier: Apache-2.0

// oneDNN's convolution on the decoded weights, direct or the algorithm it chooses, whichever is faster; bitpq on NCHW.
// Rows: conv/onednn/<network>/<layer>/d<block size>/k<codewords>[/int8]   against oneDNN in f32
//       conv/onednn-int8/<network>/<layer>/d<block size>/k256/int8        against oneDNN in int8, scales known to it

#include "peers/comparison.hpp"
#include "peers/onednn.hpp"
#include "support/networks.hpp"
#include "support/paths.hpp"
#include "support/random_layer.hpp"

#include <omp.h>
#include <bitpq/inference.hpp>

#include <set>

namespace {

using bench::layer;
using bench::onednn_call;
using bench::side;
using bench::tag;
using bench::type;
using bitpq::precision;

struct setting {
  std::size_t block_size, codewords;
  bitpq::precision ours;
  bool peer_in_int8;
};

/// A layer's operands and bitpq's side of the row.
struct fixture {
  fixture(const layer& l, const setting& s)
      : shape(l), g(l.geometry), out(g.output_size({l.size, l.size})), allowed(s.ours) {
    const auto matrix = bench::random_codes({g.rows(), g.cols(), s.block_size, s.codewords, 1});
    codes = bitpq::prepack(matrix, allowed);
    dense = bench::decoded(matrix);
    input = bench::gaussian(g.in_channels * l.size * l.size, 4);
    output.resize(g.out_channels * out.h * out.w);
  }

  void run() {
    bitpq::conv2d(codes, g, {input.data(), 1, g.in_channels, shape.size, shape.size},
                  {output.data(), 1, g.out_channels, out.h, out.w});
  }

  layer shape;
  bitpq::layer_geometry g;
  bitpq::extent2 out;
  bitpq::precision allowed;
  bitpq::prepacked_matrix<float> codes;
  std::vector<float> dense, input, output;
};

dnnl::memory::dims dims(std::initializer_list<std::size_t> sizes) { return {sizes.begin(), sizes.end()}; }

onednn_call convolution(const fixture& f, dnnl::algorithm algorithm, bool in_int8) {
  const bitpq::layer_geometry& g = f.g;
  const auto source = dims({1, g.in_channels, f.shape.size, f.shape.size});
  const auto weights = dims({g.out_channels, g.in_channels, g.kernel.h, g.kernel.w});
  const auto result = dims({1, g.out_channels, f.out.h, f.out.w});
  const auto strides = dims({g.conv.stride.h, g.conv.stride.w}), padding = dims({g.conv.padding.h, g.conv.padding.w});
  const type operand = in_int8 ? type::s8 : type::f32;
  const auto describe = [&](const dnnl::primitive_attr& attributes) {
    return dnnl::convolution_forward::primitive_desc({dnnl::prop_kind::forward_inference,
                                                      algorithm,
                                                      {source, operand, tag::any},
                                                      {weights, operand, tag::any},
                                                      {result, type::f32, tag::any},
                                                      strides,
                                                      padding,
                                                      padding},
                                                     attributes, bench::onednn_engine());
  };
  if (!in_int8) {
    const auto d = describe({});
    return bench::prepared(d, bench::placed(f.input, {source, operand, tag::nchw}, d.src_desc()),
                           bench::placed(f.dense, {weights, operand, tag::oihw}, d.weights_desc()));
  }
  const bench::quantized x(f.input), w(f.dense);
  dnnl::primitive_attr attributes;
  attributes.set_output_scales(0, {x.scale * w.scale});
  const auto d = describe(attributes);
  return bench::prepared(d, bench::placed(x.values, {source, operand, tag::nchw}, d.src_desc()),
                         bench::placed(w.values, {weights, operand, tag::oihw}, d.weights_desc()));
}

void run(benchmark::State& state, const layer& l, const setting& s) {
  omp_set_num_threads(1);
  fixture f(l, s);
  const bench::reference expected = bench::reference::of_convolution(f.dense, f.g, l.size, f.input);
  const std::size_t pixels = f.out.h * f.out.w;
  const dnnl::memory::desc plain(dims({1, f.g.out_channels, f.out.h, f.out.w}), type::f32, tag::nchw);
  std::vector<side> algorithms;
  for (const auto& [algorithm, name] : {std::pair{dnnl::algorithm::convolution_direct, "direct "},
                                        std::pair{dnnl::algorithm::convolution_auto, "auto "}}) {
    const onednn_call call = convolution(f, algorithm, s.peer_in_int8);
    algorithms.push_back({call,
                          [&expected, call, plain, pixels] {
                            return expected.error(bench::values_of(call.result(), plain).data(), pixels);
                          },
                          bench::bound_of(s.peer_in_int8 ? precision::int8 : precision::lut16),
                          name + call.implementation});
  }
  const side ours{[&] { f.run(); }, [&] { return expected.error(f.output.data(), pixels); }, bench::bound_of(s.ours),
                  to_string(bench::chosen_path(f.codes, f.g, {l.size, l.size}, pixels))};
  bench::compare(state, bench::work_of(f.codes, pixels, f.input.size(), f.output.size()), bench::fastest(algorithms),
                 ours);
}

/// What ONEDNN_MAX_CPU_ISA leaves of this machine.
const char* isa_in_use() {
  switch (dnnl::get_effective_cpu_isa()) {
    case dnnl::cpu_isa::sse41: return "sse41";
    case dnnl::cpu_isa::avx: return "avx";
    case dnnl::cpu_isa::avx2: return "avx2";
    case dnnl::cpu_isa::avx2_vnni: return "avx2_vnni";
    case dnnl::cpu_isa::avx512_core: return "avx512_core";
    case dnnl::cpu_isa::avx512_core_vnni: return "avx512_core_vnni";
    case dnnl::cpu_isa::avx512_core_bf16: return "avx512_core_bf16";
    default: return "another";
  }
}

void add(const std::string& network, const layer& l, const setting& s) {
  const std::string peer = s.peer_in_int8 ? "onednn-int8" : "onednn";
  bench::add_row("conv/" + peer + "/" + network + "/" + l.name + "/d" + std::to_string(s.block_size) + "/k" +
                     std::to_string(s.codewords) + (s.ours == precision::int8 ? "/int8" : ""),
                 [=](benchmark::State& state) { run(state, l, s); });
}

const int registered = [] {
  const dnnl_version_t* const version = dnnl_version();
  benchmark::AddCustomContext("onednn", std::to_string(version->major) + "." + std::to_string(version->minor) + "." +
                                            std::to_string(version->patch));
  benchmark::AddCustomContext("onednn_isa", isa_in_use());
  for (const bench::network& net : {bench::resnet18(), bench::resnet50()})
    for (const layer& l : net.layers) {
      if (l.is_linear() || !l.compressed) continue;
      for (const std::size_t d : std::set{l.small_block, l.large_block}) {
        add(net.name, l, {d, 256, precision::exact, false});
        if (l.geometry.window() == 1) continue;
        for (const bool peer_in_int8 : {false, true}) add(net.name, l, {d, 256, precision::int8, peer_in_int8});
      }
      add(net.name, l, {l.small_block, l.few_codewords(), precision::exact, false});
    }
  return 0;
}();

}  // namespace
