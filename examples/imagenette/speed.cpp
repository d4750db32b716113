// SPDX-License-Identifier: Apache-2.0

#include "imagenette/speed.hpp"

#ifdef IMAGENETTE_HAS_ONEDNN
#include "engine/onednn_network.hpp"
#include "engine/session.hpp"

#include <omp.h>

#include <chrono>
#include <cmath>
#endif

namespace imagenette {

#ifdef IMAGENETTE_HAS_ONEDNN

namespace {

template <class Call>
double seconds(const Call& call) {
  const auto start = std::chrono::steady_clock::now();
  call();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace

std::optional<speedup> measure_speed(const engine::network& student, const engine::network& teacher,
                                     const engine::image_source& images) {
  const int threads = omp_get_max_threads();
  omp_set_num_threads(1);
  const engine::tensor first = images.batch(0, 1);
  const engine::weights_source weights = [&](const engine::node& step) {
    const engine::layer& dense = teacher.at(step.name);
    const bitpq::matrix_view<const float> w = dense.dense_weights();
    return engine::layer_weights{std::vector<float>(w.data_handle(), w.data_handle() + w.size()), dense.bias()};
  };
  engine::onednn_network theirs(teacher.structure(), weights, first.shape());
  engine::session ours(student, first.shape(), {});
  const std::size_t n = std::min<std::size_t>(images.count, 200);
  std::vector<double> our_times, their_times;
  double sum = 0, squares = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const engine::tensor x = images.batch(i, 1);
    const auto run_ours = [&] {
      std::copy_n(x.data(), x.shape().size(), ours.input().data_handle());
      ours.run();
    };
    const auto run_theirs = [&] {
      std::copy_n(x.data(), x.shape().size(), theirs.input());
      theirs.run();
    };
    // Each runs once untimed, so that it finds its weights where its own last run has left them.
    run_ours();
    our_times.push_back(seconds(run_ours));
    run_theirs();
    their_times.push_back(seconds(run_theirs));
    const double ratio = std::log(their_times.back() / our_times.back());
    sum += ratio;
    squares += ratio * ratio;
  }
  omp_set_num_threads(threads);
  const auto count = static_cast<double>(n);
  const double mean = sum / count;
  const double error = std::sqrt(std::max(0.0, squares / count - mean * mean) / std::max(1.0, count - 1));
  constexpr double quantile = 1.96;  // of the normal distribution: 95 % lie within
  return speedup{std::exp(mean),          std::exp(mean - quantile * error), std::exp(mean + quantile * error),
                 1e3 * median(our_times), 1e3 * median(their_times),         n};
}

#else

std::optional<speedup> measure_speed(const engine::network&, const engine::network&, const engine::image_source&) {
  return std::nullopt;
}

#endif

}  // namespace imagenette
