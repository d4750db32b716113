// SPDX-License-Identifier: Apache-2.0

// Laws: however columns or a batch are split over calls, whoever runs the tasks and wherever the operands lie in
// memory, a path computes the same bits.

#include "support/guarded_array.hpp"
#include "support/kernels.hpp"
#include "support/product_paths.hpp"
#include "support/random_pq.hpp"
#include "support/thread_executor.hpp"

#include <bitpq/gemm/dense.hpp>

#include <set>

using bitpq::executor_ref;
using bitpq::gemm_path;
using bitpq::kernel_table;
using bitpq::matrix_view;
using bitpq::nchw_view;
using bitpq::prepacked_matrix;
using namespace bitpq_test;

namespace {

/// A product, by default one whose every part is awkward: a tail block, several codebooks, several tasks of rows and
/// panels of columns. With several stages it has row scales, too.
template <class T>
struct product {
  bitpq::code_format format{2051, 27, 4, 11, 3};
  std::size_t n = 171, rows = format.rows, cols = format.cols;
  bitpq::pq_matrix<T> w = random_pq<T>(format, 1, bitpq::codeword_type::f32, format.stages > 1);
  std::vector<T> x = random_values<T>(cols * n, 2), bias = random_values<T>(rows, 3);
  std::vector<T> residual = random_values<T>(rows * n, 4);

  /// Columns [first, first + count) into their place in y.
  void run(const prepacked_matrix<T>& packed, gemm_path path, std::size_t first, std::size_t count, std::vector<T>& y,
           executor_ref exec = {}) const {
    const matrix_view<const T> from(x.data(), cols, n), onto(residual.data(), rows, n);
    const matrix_view<T> to(y.data(), rows, n);
    gemm(packed, from.block(0, first, cols, count), to.block(0, first, rows, count),
         {bias, onto.block(0, first, rows, count), true}, exec, path);
  }
  [[nodiscard]] std::vector<T> run(const prepacked_matrix<T>& packed, gemm_path path, executor_ref exec = {}) const {
    std::vector<T> y(rows * n);
    run(packed, path, 0, n, y, exec);
    return y;
  }
};

/// Products whose rows, columns or both are cut into other tasks when there are more threads.
const std::vector<std::pair<bitpq::code_format, std::size_t>> products{
    {{2051, 27, 4, 11, 3}, 171},                                 // several panels
    {{700, 96, 8, 16, 2, 2}, 20},                                // a part of one
    {{131, 800, 9, 300, 1, 2}, 9},                               // codes of 16 bits, several runs of the depth
    {{1030, 70, 1, 64, 1}, 3},     {{300, 96, 8, 256, 1}, 100},  // lists of codewords in use
    {{200, 90, 18, 256, 1}, 100},
};

struct convolution_shape {
  const char* name;
  std::size_t batch, in, out;
  bitpq::extent2 image, kernel;
  bitpq::conv2d_options options;
  std::size_t d, codewords, stages = 1;
};

// stride, padding, dilation, groups
const std::vector<convolution_shape> convolutions{
    {"all unequal", 5, 6, 8, {7, 5}, {3, 3}, {{2, 1}, {1, 2}, {1, 1}, 2}, 9, 40},
    {"1x1, in place", 3, 40, 31, {8, 20}, {1, 1}, {}, 8, 16},
    {"3x3, same", 5, 20, 130, {9, 7}, {3, 3}, {{1, 1}, {1, 1}, {1, 1}, 1}, 9, 16},
    {"3x3, wide", 2, 6, 8, {5, 70}, {3, 3}, {{1, 1}, {1, 1}, {1, 1}, 1}, 9, 16},
    {"3x3, two filters a block, two groups", 3, 10, 60, {6, 6}, {3, 3}, {{1, 1}, {1, 1}, {1, 1}, 2}, 18, 20, 2},
    {"3x3, few tiles of many channels", 5, 70, 9, {9, 7}, {3, 3}, {{1, 1}, {1, 1}, {1, 1}, 1}, 9, 300, 2},
    {"3x3, stride 2", 3, 10, 140, {13, 12}, {3, 3}, {{2, 2}, {1, 0}, {1, 1}, 1}, 9, 16},
    {"3x3, stride 2, two filters a block, two groups",
     2,
     10,
     60,
     {9, 75},
     {3, 3},
     {{2, 2}, {1, 2}, {1, 1}, 2},
     18,
     20,
     2},
    {"depthwise", 4, 37, 74, {11, 9}, {3, 3}, {{1, 1}, {1, 1}, {1, 1}, 37}, 9, 16, 2},
    {"depthwise, wide", 2, 3, 3, {2, 700}, {3, 3}, {{1, 1}, {1, 1}, {1, 1}, 3}, 3, 16},
    {"1x1, stride 2", 3, 32, 450, {6, 5}, {1, 1}, {{2, 2}, {0, 0}, {1, 1}, 1}, 8, 30},
    {"few pixels", 4, 12, 600, {3, 4}, {3, 3}, {}, 9, 16, 2},
    {"1x1, few pixels", 7, 64, 1100, {1, 1}, {1, 1}, {}, 8, 16},
};

template <class T>
struct convolution {
  explicit convolution(const convolution_shape& shape) : s(shape) {}

  const convolution_shape& s;
  bitpq::layer_geometry g = bitpq::layer_geometry::conv2d(s.out, s.in, s.kernel, s.options);
  bitpq::pq_matrix<T> w =
      random_pq<T>({g.rows(), g.cols(), s.d, s.codewords, 1, s.stages}, 5, bitpq::codeword_type::f32, s.stages > 1);
  bitpq::extent2 size = g.output_size(s.image);
  std::size_t image = s.in * s.image.h * s.image.w, map = s.out * size.h * size.w;
  std::vector<T> x = random_values<T>(s.batch * image, 6);

  /// Images [first, first + count) into their place in y.
  void run(const prepacked_matrix<T>& packed, gemm_path path, std::size_t first, std::size_t count, std::vector<T>& y,
           executor_ref exec = {}) const {
    conv2d(packed, g, nchw_view<const T>(x.data() + first * image, count, s.in, s.image.h, s.image.w),
           nchw_view<T>(y.data() + first * map, count, s.out, size.h, size.w), {}, exec, path);
  }
  [[nodiscard]] std::vector<T> run(const prepacked_matrix<T>& packed, gemm_path path, executor_ref exec = {}) const {
    std::vector<T> y(s.batch * map);
    run(packed, path, 0, s.batch, y, exec);
    return y;
  }
  [[nodiscard]] std::vector<gemm_path> paths(const prepacked_matrix<T>& packed) const {
    return paths_of(bitpq::plan_conv2d(packed, g, s.batch, s.image));
  }
};

/// Calls f(case, packed, path) for every path that serves a product or a convolution, automatic where `free`: that one
/// may take another path for a part than for the whole.
template <class T, class F>
void for_each_product(bool free, const F& f) {
  for (const auto& [format, n] : products) {
    const product<T> p{format, n};
    for_each_isa<T>([&](const kernel_table<T>& k) {
      const prepacked_matrix<T> packed(p.w, k, bitpq::precision::int8);
      for (const gemm_path path : paths_of(bitpq::plan_gemm(packed, p.n))) {
        INFO(p.rows << " x " << p.cols << " x " << p.n << ", " << bitpq::to_string(path));
        if (free || path != gemm_path::automatic) f(p, packed, path);
      }
    });
  }
}
template <class T, class F>
void for_each_convolution(bool free, const F& f) {
  for (const convolution_shape& shape : convolutions) {
    const convolution<T> c(shape);
    for_each_isa<T>([&](const kernel_table<T>& k) {
      const prepacked_matrix<T> packed(c.w, k, bitpq::precision::int8);
      for (const gemm_path path : c.paths(packed)) {
        INFO(shape.name << ", " << bitpq::to_string(path));
        if (free || path != gemm_path::automatic) f(c, packed, path);
      }
    });
  }
}

/// Whether f(executor) returns the same, whoever runs the tasks.
template <class F>
void check_executors(const F& f) {
  const auto alone = f(executor_ref());
  CHECK(f(backward_executor{}) == alone);
  for (const std::size_t threads : {2U, 3U, 4U, 7U}) {
    INFO(threads << " threads");
    const thread_executor exec(threads);
    CHECK(f(executor_ref(exec)) == alone);
  }
}

}  // namespace

TEMPLATE_TEST_CASE("a product in parts is the product", "", float, double) {
  for_each_product<TestType>(false, [](const auto& p, const auto& packed, gemm_path path) {
    const std::vector<TestType> whole = p.run(packed, path);
    for (const std::size_t step : {1U, 3U, 16U, 37U, 130U}) {
      INFO(step << " columns at a time");
      std::vector<TestType> y(whole.size());
      for (std::size_t first = 0; first < p.n; first += step)
        p.run(packed, path, first, std::min(step, p.n - first), y);
      REQUIRE(y == whole);
    }
  });
}

TEMPLATE_TEST_CASE("a convolution of a batch in parts is the convolution of the batch", "", float, double) {
  for_each_convolution<TestType>(false, [](const auto& c, const auto& packed, gemm_path path) {
    const std::vector<TestType> whole = c.run(packed, path);
    std::vector<TestType> parts(whole.size()), singly(whole.size());
    c.run(packed, path, 0, 2, parts);
    if (c.s.batch > 2) c.run(packed, path, 2, c.s.batch - 2, parts, thread_executor(3));
    for (std::size_t i = 0; i < c.s.batch; ++i) c.run(packed, path, i, 1, singly);
    CHECK(parts == whole);
    CHECK(singly == whole);
  });
}

TEMPLATE_TEST_CASE("any executor computes the same product", "", float, double) {
  for_each_product<TestType>(true, [](const auto& p, const auto& packed, gemm_path path) {
    check_executors([&](executor_ref exec) { return p.run(packed, path, exec); });
  });
}

TEMPLATE_TEST_CASE("any executor computes the same convolution", "", float, double) {
  for_each_convolution<TestType>(true, [](const auto& c, const auto& packed, gemm_path path) {
    check_executors([&](executor_ref exec) { return c.run(packed, path, exec); });
  });
}

TEST_CASE("every path is among those that are split and shared here") {
  std::set<gemm_path> seen;
  for_each_product<float>(false, [&](const auto&, const auto&, gemm_path path) { seen.insert(path); });
  for_each_convolution<float>(false, [&](const auto&, const auto&, gemm_path path) { seen.insert(path); });
  for (const gemm_path path : bitpq::all_gemm_paths) {
    INFO(bitpq::to_string(path));
    const bool tables_of_16_bits = bitpq::kernels<float>().lookup.lut16_codewords > 0;
    CHECK((seen.count(path) == 1 || (path == gemm_path::lut16 && !tables_of_16_bits)));
  }
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
    gemm(prepacked_matrix<TestType>(p.w, k), x, out, {}, {}, gemm_path::decode);
    CHECK(other == whole);
  });
}

TEMPLATE_TEST_CASE("operands may lie anyhow in memory", "", float, double) {
  const std::size_t rows = 13, cols = 11, n = 37;
  const bitpq::pq_matrix<TestType> w = random_pq<TestType>({rows, cols, 3, 9, 2}, 1);
  const std::vector<TestType> values = random_values<TestType>(cols * n, 2),
                              onto = random_values<TestType>(rows * n, 3);
  for_each_isa<TestType>([&](const kernel_table<TestType>& k) {
    const prepacked_matrix<TestType> packed(w, k, bitpq::precision::int8);
    for (const gemm_path path : paths_of(bitpq::plan_gemm(packed, n))) {
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
