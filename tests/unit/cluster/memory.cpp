// SPDX-License-Identifier: Apache-2.0

// The memory that k-means takes beyond its input: at most 16 bytes per point and a multiple of the codebook, wherever
// points lie and whatever the metric. All of the library's memory comes from the two forms of operator new that are
// replaced here and count: the aligned one of aligned_buffer, and the plain one of the standard containers.

#include "support/catch.hpp"
#include "support/kmeans_checks.hpp"
#include "support/thread_executor.hpp"

#include <Eigen/Core>

#include <atomic>
#include <cstdlib>
#include <new>

using bitpq_test::rows_of;

namespace {

std::atomic<std::size_t> held{0}, most_held{0};

/// The size of a block stands in a line of its own before it.
constexpr std::size_t line = bitpq::buffer_alignment;

void* counted(std::size_t size) noexcept {
  void* const block = size > SIZE_MAX / 2 ? nullptr : std::aligned_alloc(line, bitpq::round_up(size, line) + line);
  if (block == nullptr) return nullptr;
  *static_cast<std::size_t*>(block) = size;
  const std::size_t now = held += size;
  for (std::size_t most = most_held; now > most && !most_held.compare_exchange_weak(most, now);) {
  }
  return static_cast<std::byte*>(block) + line;
}

void release(void* p) noexcept {
  if (p == nullptr) return;
  void* const block = static_cast<std::byte*>(p) - line;
  held -= *static_cast<std::size_t*>(block);
  std::free(block);
}

}  // namespace

void* operator new[](std::size_t size, std::align_val_t, const std::nothrow_t&) noexcept { return counted(size); }
void operator delete[](void* p, std::align_val_t) noexcept { release(p); }
void* operator new(std::size_t size) {
  if (void* const p = counted(size)) return p;
  throw std::bad_alloc();
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return counted(size); }
void operator delete(void* p) noexcept { release(p); }
void operator delete(void* p, const std::nothrow_t&) noexcept { release(p); }
void operator delete(void* p, std::size_t) noexcept { release(p); }

namespace {

/// Bytes that f takes at the most beyond those held before.
template <class F>
std::size_t memory_of(const F& f) {
  const std::size_t before = held;
  most_held = before;
  f();
  return most_held - before;
}

template <class T>
void check_memory(std::size_t n, std::size_t d, std::size_t clusters) {
  const std::vector<T> points = bitpq_test::random_values<T>(n * d, 1), weights(n, T{1});
  const std::vector<T> wide = bitpq_test::random_values<T>(n * (d + 3), 2);
  const Eigen::MatrixXd gram =
      Eigen::MatrixXd::Identity(static_cast<Eigen::Index>(d), static_cast<Eigen::Index>(d)) * 2.0;
  const bitpq::whitening white(gram);
  // 64 points of a cluster are the sample that seeds are drawn from, with weight and potential; the rest is codewords
  // and sums. A worker has a tile and a block of points.
  const std::size_t codebook = clusters * (d + 4) * (66 * sizeof(T) + 8 * sizeof(double));
  for (const std::size_t workers : {std::size_t{1}, std::size_t{3}}) {
    const std::size_t allowed =
        16 * n + codebook + workers * (64 * d + std::min(std::size_t{65536}, 2048 * d)) * sizeof(T) + 8192;
    for (const auto method : {bitpq::seeding_method::random, bitpq::seeding_method::kmeans_plus_plus,
                              bitpq::seeding_method::kmeans_parallel}) {
      bitpq::kmeans_params params;
      params.clusters = clusters;
      params.seeding = method;
      params.max_iterations = 1;
      params.restarts = 1;
      const auto run = [&](const bitpq::matrix_view<const T>& view, const bitpq::whitening& metric) {
        const bitpq_test::backward_executor three;
        static_cast<void>(
            bitpq::kmeans<T>(view, weights, params, workers == 1 ? bitpq::executor_ref() : three, metric));
      };
      INFO(n << " points of " << d << ", " << clusters << " clusters, " << workers << " workers, method "
             << static_cast<int>(method));
      const std::size_t plain = memory_of([&] { run(rows_of(points, d), {}); });
      CHECK(plain > 2 * n);
      CHECK(plain <= allowed);
      CHECK(memory_of([&] { run(rows_of(points, d), white); }) <= allowed);
      CHECK(memory_of([&] { run({wide.data(), n, d, static_cast<std::ptrdiff_t>(d + 3)}, {}); }) <= allowed);
      CHECK(memory_of([&] { run({points.data(), n, d, 1, static_cast<std::ptrdiff_t>(n)}, {}); }) <= allowed);
    }
  }
}

}  // namespace

TEMPLATE_TEST_CASE("k-means takes 16 bytes per point and a multiple of the codebook", "", float, double) {
  check_memory<TestType>(20000, 9, 16);
  check_memory<TestType>(8000, 32, 8);
  check_memory<TestType>(6000, 4, 120);
}

TEST_CASE("a point on the worst side costs no memory per point") {
  // Almost all codewords are empty at first, and points are sought for them.
  std::vector<float> points(40000, 0.0F);
  for (std::size_t p = 0; p < 8; ++p) points[p * 4000] = static_cast<float>(p + 1);
  bitpq::kmeans_params params;
  params.clusters = 9;
  params.seeding = bitpq::seeding_method::random;
  const std::size_t memory =
      memory_of([&] { static_cast<void>(bitpq::kmeans<float>(rows_of(points, 1), {}, params)); });
  CHECK(memory <= 16 * 40000);
}
