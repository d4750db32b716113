// SPDX-License-Identifier: Apache-2.0
#pragma once

// What every executor adapter promises, and that compressing through it gives the bits that one thread gives.

#include "support/catch.hpp"
#include "support/kmeans_checks.hpp"
#include "support/layers.hpp"

#include <atomic>
#include <numeric>
#include <stdexcept>

namespace bitpq_test {

/// Each task once, a worker below concurrency(), no two tasks of a worker at a time.
inline void check_tasks(bitpq::executor_ref exec) {
  std::vector<std::atomic<int>> runs(500), busy(exec.concurrency());
  std::atomic<int> clashes{0};
  exec.bulk(runs.size(), [&](std::size_t worker, std::size_t task) {
    if (worker >= busy.size() || busy[worker].fetch_add(1) != 0) {
      ++clashes;
      return;
    }
    ++runs[task];
    busy[worker].fetch_sub(1);
  });
  int once = 0;
  for (const std::atomic<int>& r : runs) once += r == 1 ? 1 : 0;
  CHECK(clashes == 0);
  CHECK(once == 500);
  exec.bulk(0, [](std::size_t, std::size_t) { FAIL("no task was asked for"); });
}

/// An exception of a task, also of one among many, reaches the caller, and the executor can be used again.
inline void check_exceptions(bitpq::executor_ref exec) {
  const auto one = [](std::size_t, std::size_t task) {
    if (task == 37) throw std::runtime_error("task 37");
  };
  CHECK_THROWS_WITH(exec.bulk(100, one), "task 37");
  const auto all = [](std::size_t, std::size_t) { bitpq::fail(bitpq::errc::cancelled, "every task"); };
  CHECK_THROWS_AS(exec.bulk(100, all), bitpq::error);
  check_tasks(exec);
}

/// k-means and a whole layer, in the calling thread and by `exec`.
inline void check_same_bits(bitpq::executor_ref exec) {
  const std::vector<float> points = random_values<float>(9001 * 3, 4);
  bitpq::kmeans_params params;
  params.clusters = 20;
  params.max_iterations = 6;
  const auto clustered = bitpq::kmeans<float>(rows_of(points, 3), {}, params);
  CHECK(same_bits(clustered, bitpq::kmeans<float>(rows_of(points, 3), {}, params, exec)));

  const auto g = bitpq::layer_geometry::conv2d(64, 32, {3, 3}, {.padding = {1, 1}, .groups = 2});
  const std::vector<double> x = correlated_images<double>(3, 32, {12, 13}, 5), w = random_values<double>(64 * 144, 6);
  const bitpq::nchw_view<const double> images(x.data(), 3, 32, 12, 13);
  bitpq::gram_accumulator serial(g), parallel(g);
  serial.add(images);
  parallel.add(images, exec);
  const bitpq::importance h = serial.finish();
  CHECK(same_moments(h, parallel.finish()));
  bitpq::pq_params pq;
  pq.max_iterations = 5;
  const auto one = bitpq::compress<double>(g, {w.data(), 64, 144}, &h, pq);
  const auto many = bitpq::compress<double>(g, {w.data(), 64, 144}, &h, pq, exec);
  CHECK(same_weights(one.weights, many.weights));
  CHECK(one.report.output_error == many.report.output_error);
}

}  // namespace bitpq_test
