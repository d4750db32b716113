// SPDX-License-Identifier: Apache-2.0

// Laws: however columns or a batch are split over calls, whoever runs the tasks and wherever the operands lie in
// memory, a path computes the same bits.

#include "support/guarded_array.hpp"
#include "support/kernels.hpp"
#include "support/random_pq.hpp"
#include "support/thread_executor.hpp"

#include <bitpq/gemm/dense.hpp>

using bitpq::executor_ref;
using bitpq::gemm_path;
using bitpq::kernel_table;
using bitpq::matrix_view;
using bitpq::nchw_view;
using namespace bitpq_test;

namespace {

/// A product whose every part is awkward: a tail block, several codebooks, several tasks of rows and panels of columns.
template <class T>
struct product {
  static constexpr std::size_t rows = 2051, cols = 27, n = 171;
  bitpq::pq_matrix<T> w = random_pq<T>({rows, cols, 4, 11, 3}, 1);
  std::vector<T> x = random_values<T>(cols * n, 2), bias = random_values<T>(rows, 3);
  std::vector<T> residual = random_values<T>(rows * n, 4);

  [[nodiscard]] std::vector<T> run(const kernel_table<T>& k, gemm_path path, executor_ref exec = {}) const {
    std::vector<T> y(rows * n);
    gemm(bitpq::prepacked_matrix<T>(w, k), {x.data(), cols, n}, {y.data(), rows, n},
         {bias, matrix_view<const T>(residual.data(), rows, n), true}, exec, path);
    return y;
  }
};

template <class T>
struct convolution {
  static constexpr std::size_t batch = 5, in = 6, out = 8, h = 7, wide = 5;
  bitpq::layer_geometry g = bitpq::layer_geometry::conv2d(out, in, {3, 3}, {{2, 1}, {1, 2}, {1, 1}, 2});
  bitpq::pq_matrix<T> w = random_pq<T>({g.rows(), g.cols(), 9, 40, 1}, 5);
  bitpq::extent2 size = g.output_size({h, wide});
  std::size_t image = in * h * wide, map = out * size.h * size.w;
  std::vector<T> x = random_values<T>(batch * image, 6);

  /// Images [first, first + count) into their place in y.
  void run(const kernel_table<T>& k, gemm_path path, std::size_t first, std::size_t count, std::vector<T>& y,
           executor_ref exec = {}) const {
    conv2d(bitpq::prepacked_matrix<T>(w, k), g, nchw_view<const T>(x.data() + first * image, count, in, h, wide),
           nchw_view<T>(y.data() + first * map, count, out, size.h, size.w), {}, exec, path);
  }
};

constexpr gemm_path product_paths[] = {gemm_path::decode, gemm_path::lut, gemm_path::gemv};
constexpr gemm_path convolution_paths[] = {gemm_path::decode, gemm_path::lut, gemm_path::automatic};

}  // namespace

TEMPLATE_TEST_CASE("a product in parts is the product", "", float, double) {
  const product<TestType> p;
  for_each_isa<TestType>([&](const kernel_table<TestType>& k) {
    const bitpq::prepacked_matrix<TestType> packed(p.w, k);
    for (const gemm_path path : product_paths) {
      const std::vector<TestType> whole = p.run(k, path);
      for (const std::size_t step : {1U, 3U, 16U, 37U, 130U}) {
        INFO(bitpq::to_string(path) << ", " << step << " columns at a time");
        std::vector<TestType> y(whole.size());
        const matrix_view<const TestType> x(p.x.data(), p.cols, p.n), residual(p.residual.data(), p.rows, p.n);
        const matrix_view<TestType> out(y.data(), p.rows, p.n);
        for (std::size_t first = 0; first < p.n; first += step) {
          const std::size_t n = std::min(step, p.n - first);
          gemm(packed, x.block(0, first, p.cols, n), out.block(0, first, p.rows, n),
               {p.bias, residual.block(0, first, p.rows, n), true}, {}, path);
        }
        REQUIRE(y == whole);
      }
    }
  });
}

TEMPLATE_TEST_CASE("a convolution of a batch in parts is the convolution of the batch", "", float, double) {
  const convolution<TestType> c;
  for_each_isa<TestType>([&](const kernel_table<TestType>& k) {
    for (const gemm_path path : {gemm_path::decode, gemm_path::lut}) {
      INFO(bitpq::to_string(path));
      std::vector<TestType> whole(c.batch * c.map), parts(whole.size()), singly(whole.size());
      c.run(k, path, 0, c.batch, whole);
      c.run(k, path, 0, 2, parts);
      c.run(k, path, 2, 3, parts);
      for (std::size_t i = 0; i < c.batch; ++i) c.run(k, path, i, 1, singly);
      CHECK(parts == whole);
      CHECK(singly == whole);
    }
  });
}

TEMPLATE_TEST_CASE("any executor computes the same bits", "", float, double) {
  const product<TestType> p;
  const convolution<TestType> c;
  const thread_executor four(4), two(2);
  for_each_isa<TestType>([&](const kernel_table<TestType>& k) {
    for (const gemm_path path : product_paths) {
      INFO(bitpq::to_string(path));
      const std::vector<TestType> alone = p.run(k, path);
      CHECK(p.run(k, path, four) == alone);
      CHECK(p.run(k, path, two) == alone);
      CHECK(p.run(k, path, backward_executor{}) == alone);
    }
    for (const gemm_path path : convolution_paths) {
      INFO("convolution, " << bitpq::to_string(path));
      std::vector<TestType> alone(c.batch * c.map), together(alone.size()), backward(alone.size());
      c.run(k, path, 0, c.batch, alone);
      c.run(k, path, 0, c.batch, together, four);
      c.run(k, path, 0, c.batch, backward, backward_executor{});
      CHECK(together == alone);
      CHECK(backward == alone);
    }
  });
}

TEMPLATE_TEST_CASE("dense products are the same bits for any executor and split", "", float, double) {
  const product<TestType> p;
  const std::vector<TestType> dense = decoded(p.w);
  const matrix_view<const TestType> w(dense.data(), p.rows, p.cols), x(p.x.data(), p.cols, p.n);
  for_each_isa<TestType>([&](const kernel_table<TestType>& k) {
    std::vector<TestType> whole(p.rows * p.n), other(whole.size());
    const matrix_view<TestType> out(other.data(), p.rows, p.n);
    bitpq::dense_gemm(w, x, matrix_view<TestType>(whole.data(), p.rows, p.n), {}, {}, k);
    bitpq::dense_gemm(w, x, out, {}, thread_executor(3), k);
    CHECK(other == whole);
    bitpq::dense_gemm(w, x.block(0, 0, p.cols, 20), out.block(0, 0, p.rows, 20), {}, backward_executor{}, k);
    bitpq::dense_gemm(w, x.block(0, 20, p.cols, p.n - 20), out.block(0, 20, p.rows, p.n - 20), {}, {}, k);
    CHECK(other == whole);
    // The decode path multiplies the very same numbers in the very same order.
    gemm(bitpq::prepacked_matrix<TestType>(p.w, k), x, out, {}, {}, gemm_path::decode);
    CHECK(other == whole);
  });
}

TEMPLATE_TEST_CASE("operands may lie anyhow in memory", "", float, double) {
  const std::size_t rows = 13, cols = 11, n = 37;
  const bitpq::pq_matrix<TestType> w = random_pq<TestType>({rows, cols, 3, 9, 2}, 1);
  const std::vector<TestType> values = random_values<TestType>(cols * n, 2),
                              onto = random_values<TestType>(rows * n, 3);
  for_each_isa<TestType>([&](const kernel_table<TestType>& k) {
    const bitpq::prepacked_matrix<TestType> packed(w, k);
    for (const gemm_path path : product_paths) {
      std::vector<TestType> plain(rows * n);
      gemm(packed, {values.data(), cols, n}, {plain.data(), rows, n},
           {{}, matrix_view<const TestType>(onto.data(), rows, n), false}, {}, path);
      for (const layout of_x : all_layouts)
        for (const layout of_y : all_layouts) {
          INFO(bitpq::to_string(path) << ", layouts " << static_cast<int>(of_x) << ", " << static_cast<int>(of_y));
          guarded_array<TestType, 2> x({cols, n}, of_x, values), y({rows, n}, of_y, onto);
          const matrix_view<const TestType> itself = view(y);
          gemm(packed, view(x), view(y), {{}, itself, false}, {}, path);
          REQUIRE(y.values() == plain);
          REQUIRE(y.intact());
        }
    }
  });
}
