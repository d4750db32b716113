// SPDX-License-Identifier: Apache-2.0

// Statistics over batches against those of everything at once; a folded layer against layer and batch norm by
// definition, and back.

#include "support/bad_inputs.hpp"
#include "support/thread_executor.hpp"
#include "support/training_layers.hpp"

#include <bitpq/train/batch_norm.hpp>

#include <limits>

using bitpq::batch_norm;
using bitpq::biased_layer;
using bitpq::errc;
using bitpq::matrix_view;
using bitpq::nchw_view;
using bitpq::running_moments;
using bitpq_test::subject;
using bitpq_test::subjects;

namespace {

template <class T>
batch_norm<T> random_norm(std::size_t channels) {
  batch_norm<T> norm{bitpq_test::random_values<T>(channels, 1), bitpq_test::random_values<T>(channels, 2),
                     bitpq_test::random_values<T>(channels, 3), bitpq_test::random_values<T>(channels, 4)};
  for (std::size_t c = 0; c < channels; ++c) {
    norm.scale[c] += norm.scale[c] < 0 ? T(-0.1) : T(0.1);
    norm.variance[c] = T(0.2) + std::abs(norm.variance[c]);
  }
  return norm;
}

/// What layer and, where given, batch norm come to, in double precision from their definitions.
template <class T>
std::vector<double> outputs(const subject& s, const biased_layer<T>& layer, const std::vector<T>& x,
                            const batch_norm<T>* norm) {
  std::vector<double> y =
      bitpq_test::reference_convolution(s.geometry, bitpq_test::as_double(bitpq_test::decoded(layer.weights)),
                                        bitpq_test::as_double(x), s.batch, s.image);
  const bitpq::extent2 out = s.geometry.output_size(s.image);
  for (std::size_t i = 0; i < y.size(); ++i) {
    const std::size_t c = i / (out.h * out.w) % s.geometry.out_channels;
    if (!layer.bias.empty()) y[i] += static_cast<double>(layer.bias[c]);
    if (norm == nullptr) continue;
    const double deviation = std::sqrt(static_cast<double>(norm->variance[c]) + norm->epsilon);
    y[i] = static_cast<double>(norm->scale[c]) * (y[i] - static_cast<double>(norm->mean[c])) / deviation +
           static_cast<double>(norm->shift[c]);
  }
  return y;
}

}  // namespace

TEMPLATE_TEST_CASE("folding a batch norm and unfolding it change no output", "", float, double) {
  for (const subject& s : subjects())
    for (const bool biased : {false, true}) {
      INFO(s.name << (biased ? ", biased" : ""));
      const biased_layer<TestType> layer{
          bitpq_test::random_pq<TestType>(s.format, 5, bitpq::codeword_type::f32, s.scaled),
          bitpq_test::random_values<TestType>(biased ? s.format.rows : 0, 6)};
      const batch_norm<TestType> norm = random_norm<TestType>(s.format.rows);
      const std::vector<TestType> x =
          bitpq_test::random_values<TestType>(s.batch * s.geometry.in_channels * s.image.h * s.image.w, 7);
      const std::vector<double> want = outputs(s, layer, x, &norm);
      const biased_layer<TestType> folded = fold_batch_norm(layer, norm);
      CHECK(folded.weights.codes() == layer.weights.codes());
      CHECK(bitpq_test::relative_error(outputs<TestType>(s, folded, x, nullptr), want) < 1e-6);
      const biased_layer<TestType> back = unfold_batch_norm(folded, norm);
      CHECK(bitpq_test::relative_error(outputs(s, back, x, &norm), want) < 1e-6);
      CHECK(bitpq_test::relative_error(outputs<TestType>(s, back, x, nullptr),
                                       outputs<TestType>(s, layer, x, nullptr)) < 1e-6);
      const biased_layer<TestType> again = fold_batch_norm(back, norm);
      CHECK(bitpq_test::relative_error(outputs<TestType>(s, again, x, nullptr), want) < 1e-6);
    }
}

TEST_CASE("scales rounded to f16 keep the mean output where it was") {
  const subject s = subjects()[0];
  const biased_layer<double> layer{bitpq_test::random_pq<double>(s.format, 5), {}};
  batch_norm<double> norm = random_norm<double>(s.format.rows);
  const std::vector<double> x = bitpq_test::random_values<double>(s.batch * s.geometry.in_channels, 7);
  const std::vector<double> y = outputs<double>(s, layer, x, nullptr);
  for (std::size_t c = 0; c < norm.channels(); ++c) norm.mean[c] = y[c];  // of the first sample
  const biased_layer<double> folded = fold_batch_norm(layer, norm, bitpq::codeword_type::f16);
  CHECK(folded.weights.scales().type() == bitpq::codeword_type::f16);
  const std::vector<double> after = outputs<double>(s, folded, x, nullptr);
  for (std::size_t c = 0; c < norm.channels(); ++c)
    CHECK(after[c] == Approx(norm.shift[c]).epsilon(1e-10).margin(1e-10));
}

TEMPLATE_TEST_CASE("moments over batches are those of all values", "", float, double) {
  constexpr std::size_t channels = 5;
  running_moments moments(channels);
  std::vector<std::vector<double>> seen(channels);
  for (std::size_t batch = 0; batch < 4; ++batch) {
    const std::size_t n = 1 + 3 * batch;
    std::vector<TestType> x = bitpq_test::random_values<TestType>(n * channels * 6, batch);
    for (TestType& value : x) value = value * 3 + 1000;
    for (std::size_t i = 0; i < x.size(); ++i) seen[i / 6 % channels].push_back(static_cast<double>(x[i]));
    moments.add(nchw_view<const TestType>(x.data(), n, channels, 2, 3), bitpq_test::backward_executor{});
  }
  CHECK(moments.count() == 22 * 6);
  for (std::size_t c = 0; c < channels; ++c) {
    const Eigen::Map<const Eigen::ArrayXd> all(seen[c].data(), static_cast<Eigen::Index>(seen[c].size()));
    const double mean = all.mean();
    CHECK(moments.mean(c) == Approx(mean).epsilon(1e-13));
    CHECK(moments.variance(c) ==
          Approx((all - mean).square().sum() / static_cast<double>(all.size() - 1)).epsilon(1e-9));
  }
}

TEST_CASE("a batch norm takes over the statistics that were seen") {
  const std::vector<float> x{1, 2, 3, 4, 10, 20, 30, 40};
  running_moments moments(2);
  moments.add(matrix_view<const float>(x.data(), 2, 4));
  batch_norm<float> norm{{1, 2}, {0, 5}, {7, 7}, {9, 9}};
  set_statistics(norm, moments);
  CHECK(norm.mean == std::vector<float>{2.5F, 25});
  CHECK(norm.variance[0] == Approx(5.0 / 3));
  CHECK(norm.variance[1] == Approx(500.0 / 3));
  CHECK(norm.scale == std::vector<float>{1, 2});
}

TEST_CASE("batch norms that do not fit are refused") {
  const biased_layer<float> layer{bitpq_test::random_pq<float>({3, 8, 4, 4}, 1), {}};
  const batch_norm<float> good{{1, 1, 1}, {0, 0, 0}, {0, 0, 0}, {1, 1, 1}};
  std::vector<float> broken(6, 1.0F);
  broken[4] = std::numeric_limits<float>::quiet_NaN();
  running_moments moments(2), empty(3);
  const auto changed = [&](const auto& change) {
    batch_norm<float> norm = good;
    change(norm);
    return norm;
  };
  const auto fold = [&](const batch_norm<float>& norm) {
    return [&layer, norm] { static_cast<void>(fold_batch_norm(layer, norm)); };
  };
  bitpq_test::check_bad_inputs({
      {errc::bad_shape, "batch norm of 2 channels after a layer of 3 rows", fold({{1, 1}, {0, 0}, {0, 0}, {1, 1}})},
      {errc::bad_shape, "batch norm of 3 scales, 3 shifts, 2 means and 3 variances",
       fold(changed([](auto& n) { n.mean.pop_back(); }))},
      {errc::bad_params, "variance -1 of channel 1", fold(changed([](auto& n) { n.variance[1] = -1; }))},
      {errc::bad_params, "epsilon 0 is not positive", fold(changed([](auto& n) { n.epsilon = 0; }))},
      {errc::bad_shape, "bias of 2 elements for 3 rows",
       [&] {
         static_cast<void>(fold_batch_norm(biased_layer<float>{layer.weights, {1, 2}}, good));
       }},
      {errc::bad_params, "batch norm has scale 0 in channel 2, which cannot be unfolded",
       [&] { static_cast<void>(unfold_batch_norm(layer, changed([](auto& n) { n.scale[2] = 0; }))); }},
      {errc::bad_shape, "moments of 0 channels", [] { running_moments(0); }},
      {errc::bad_shape, "a batch of 3 channels for moments of 2",
       [&] { moments.add(matrix_view<const float>(broken.data(), 3, 2)); }},
      {errc::non_finite, "a batch is not finite in channel 1",
       [&] { moments.add(matrix_view<const float>(broken.data(), 2, 3)); }},
      {errc::bad_params, "the variance of 0 values",
       [&] {
         batch_norm<float> norm = good;
         set_statistics(norm, empty);
       }},
  });
  CHECK(moments.count() == 0);
}
