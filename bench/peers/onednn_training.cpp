// SPDX-License-Identifier: Apache-2.0

// The gradient of the codewords: bitpq's fused form against oneDNN's gradient of the weights of a convolution and a
// scatter of it. Inputs and output gradients lie ready in the layouts that oneDNN asks for; what it returns is brought
// to the order of the codes in the time that counts.
// Rows: train/onednn-scatter/<network>/<layer>/n<batch>/d<block size>/k<codewords>

#include "peers/onednn.hpp"
#include "peers/training.hpp"

#include <omp.h>

namespace {

using bench::onednn_engine;
using bench::onednn_stream;
using bench::tag;
using bench::trained_layer;
using bench::training_fixture;
using bench::type;

dnnl::memory::dims dims(std::initializer_list<std::size_t> sizes) { return {sizes.begin(), sizes.end()}; }

/// The gradient of the weights, in the order that oneDNN likes and then in that of the codes.
class dense_scatter {
 public:
  dense_scatter(const training_fixture& fixture, std::vector<float>& out, dnnl::algorithm algorithm)
      : f_(&fixture), sums_(&out), weights_(fixture.g.rows() * fixture.g.cols()) {
    const bitpq::layer_geometry& g = fixture.g;
    const std::size_t size = fixture.shape.size;
    const auto source = dims({fixture.batch, g.in_channels, size, size});
    const auto weights = dims({g.out_channels, g.in_channels, g.kernel.h, g.kernel.w});
    const auto result = dims({fixture.batch, g.out_channels, size, size});
    const auto strides = dims({1, 1}), padding = dims({g.conv.padding.h, g.conv.padding.w});
    const auto any = [](const dnnl::memory::dims& d) { return dnnl::memory::desc(d, type::f32, tag::any); };
    const dnnl::convolution_forward::primitive_desc forward({dnnl::prop_kind::forward_training, algorithm, any(source),
                                                             any(weights), any(result), strides, padding, padding},
                                                            onednn_engine());
    const dnnl::convolution_backward_weights::primitive_desc d(
        {algorithm, any(source), any(weights), any(result), strides, padding, padding}, onednn_engine(), forward);
    const dnnl::memory::desc plain(weights, type::f32, tag::oihw);
    const dnnl::memory gradient(d.diff_weights_desc(), onednn_engine());
    call_ = {
        dnnl::convolution_backward_weights(d),
        {{DNNL_ARG_SRC, bench::placed(fixture.input, {source, type::f32, tag::nchw}, d.src_desc())},
         {DNNL_ARG_DIFF_DST, bench::placed(fixture.output_gradient, {result, type::f32, tag::nchw}, d.diff_dst_desc())},
         {DNNL_ARG_DIFF_WEIGHTS, gradient}},
        d.impl_info_str()};
    in_order_ = dnnl::memory(plain, onednn_engine(), weights_.data());
    reorder_ = dnnl::reorder(gradient, in_order_);
  }
  dense_scatter(const dense_scatter&) = delete;
  dense_scatter& operator=(const dense_scatter&) = delete;

  [[nodiscard]] const std::string& implementation() const { return call_.implementation; }

  void run() {
    call_();
    reorder_.execute(onednn_stream(), call_.operands.at(DNNL_ARG_DIFF_WEIGHTS), in_order_);
    onednn_stream().wait();
    f_->scatter(weights_.data(), *sums_);
  }

 private:
  const training_fixture* f_;
  std::vector<float>* sums_;
  std::vector<float> weights_;
  bench::onednn_call call_;
  dnnl::memory in_order_;
  dnnl::reorder reorder_;
};

void run(benchmark::State& state, const trained_layer& l) {
  omp_set_num_threads(1);
  const training_fixture f(l);
  const std::vector<double> want = f.expected();
  std::vector<float> theirs(want.size()), ours;
  dense_scatter direct(f, theirs, dnnl::algorithm::convolution_direct);
  dense_scatter chosen(f, theirs, dnnl::algorithm::convolution_auto);
  std::vector<bench::side> algorithms;
  for (dense_scatter* const one : {&direct, &chosen})
    algorithms.push_back(
        {[one] { one->run(); }, [&] { return bench::relative_error(theirs, want); }, 1e-5, one->implementation()});
  bench::compare(state, f.amount(), bench::fastest(algorithms),
                 {[&] { ours = f.fused(); }, [&] { return bench::relative_error(ours, want); }, 1e-5});
}

const int registered = [] {
  for (const trained_layer& l : bench::trained_layers())
    bench::add_row("train/onednn-scatter/" + name_of(l), [l](benchmark::State& state) { run(state, l); });
  return 0;
}();

}  // namespace
