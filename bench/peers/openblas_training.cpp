// SPDX-License-Identifier: Apache-2.0

// The gradient of the codewords: bitpq's fused form against OpenBLAS' gradient of the weights and a scatter of it. The
// peer unfolds image by image, or the whole batch for one product; whichever is faster.
// Rows: train/dense-scatter/<network>/<layer>/n<batch>/d<block size>/k<codewords>

#include "peers/training.hpp"

#include <cblas.h>

namespace {

using bench::trained_layer;
using bench::training_fixture;

/// c = a b^T + beta c, a being m x k, b n x k.
void multiply(int m, int n, int k, const float* a, const float* b, float beta, float* c) {
  cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, m, n, k, 1.0F, a, k, b, k, beta, c, n);
}

/// What the peer needs besides operands is allocated in the call, as bitpq's is.
struct dense_scatter {
  const training_fixture& f;
  std::vector<float>& sums;
  bool whole_batch;

  void operator()() const {
    const bitpq::layer_geometry& g = f.g;
    const std::size_t each = whole_batch ? f.columns() : f.plane();
    const auto rows = static_cast<int>(g.rows()), cols = static_cast<int>(g.cols()), depth = static_cast<int>(each);
    bitpq::aligned_buffer<float> weights(g.rows() * g.cols()), columns(g.cols() * each);
    bitpq::aligned_buffer<float> gradients(whole_batch ? g.rows() * each : 0);
    for (std::size_t image = 0; image < f.batch; ++image) {
      const std::size_t at = whole_batch ? image * f.plane() : 0;
      f.unfold(image, columns.data() + at, each);
      if (whole_batch)
        f.gather(image, gradients.data() + at, each);
      else
        multiply(rows, cols, depth, f.output_gradient.data() + image * g.rows() * each, columns.data(),
                 image > 0 ? 1.0F : 0.0F, weights.data());
    }
    if (whole_batch) multiply(rows, cols, depth, gradients.data(), columns.data(), 0.0F, weights.data());
    f.scatter(std::as_const(weights).data(), sums);
  }
};

void run(benchmark::State& state, const trained_layer& l) {
  openblas_set_num_threads(1);
  const training_fixture f(l);
  const std::vector<double> want = f.expected();
  std::vector<float> theirs(want.size()), ours;
  std::vector<bench::side> variants;
  for (const bool whole_batch : {false, true})
    variants.push_back({dense_scatter{f, theirs, whole_batch}, [&] { return bench::relative_error(theirs, want); },
                        1e-5, whole_batch ? "batch" : "images"});
  const bench::side peer = bench::fastest(variants);
  bench::compare(state, f.amount(), peer,
                 {[&] { ours = f.fused(); }, [&] { return bench::relative_error(ours, want); }, 1e-5});
  state.counters["scratch_bytes"] = static_cast<double>(bench::peak_allocation([&] { ours = f.fused(); }));
  state.counters["peer_scratch_bytes"] = static_cast<double>(bench::peak_allocation(peer.call));
}

const int registered = [] {
  for (const trained_layer& l : bench::trained_layers())
    bench::add_row("train/dense-scatter/" + name_of(l), [l](benchmark::State& state) { run(state, l); });
  return 0;
}();

}  // namespace
