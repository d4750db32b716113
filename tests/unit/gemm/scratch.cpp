// SPDX-License-Identifier: Apache-2.0

// The memory that a call takes beyond its operands: at most max_scratch for each worker, whatever the shape, and none
// of the size of the dense weights or of the im2col matrix. Every buffer of the library is aligned_buffer's, which asks
// the aligned operator new for it; so that one is replaced here and counts.

#include "support/kernels.hpp"
#include "support/product_paths.hpp"
#include "support/random_pq.hpp"
#include "support/thread_executor.hpp"

#include <bitpq/gemm/conv2d.hpp>
#include <bitpq/gemm/gemm.hpp>

#include <atomic>
#include <cstdlib>
#include <new>

using bitpq::gemm_path;
using bitpq::kernel_table;
using bitpq::layer_geometry;
using namespace bitpq_test;

namespace {

std::atomic<std::size_t> held{0}, most_held{0};

/// The size of a block stands in a line of its own before it.
constexpr std::size_t line = bitpq::buffer_alignment;

}  // namespace

void* operator new[](std::size_t size, std::align_val_t, const std::nothrow_t&) noexcept {
  void* const block = size > SIZE_MAX / 2 ? nullptr : std::aligned_alloc(line, bitpq::round_up(size, line) + line);
  if (block == nullptr) return nullptr;
  *static_cast<std::size_t*>(block) = size;
  const std::size_t now = held += size;
  for (std::size_t most = most_held; now > most && !most_held.compare_exchange_weak(most, now);) {
  }
  return static_cast<std::byte*>(block) + line;
}
void operator delete[](void* p, std::align_val_t) noexcept {
  if (p == nullptr) return;
  void* const block = static_cast<std::byte*>(p) - line;
  held -= *static_cast<std::size_t*>(block);
  std::free(block);
}

namespace {

/// Bytes that f takes at the most beyond those held before.
template <class F>
std::size_t memory_of(const F& f) {
  bitpq::release_scratch();
  const std::size_t before = held;
  most_held = before;
  f();
  return most_held - before;
}

/// f(executor) by one worker and by three.
template <class F>
void check_memory(const F& f) {
  const std::size_t alone = memory_of([&] { f(bitpq::executor_ref()); });
  CHECK(alone > 0);
  CHECK(alone <= bitpq::max_scratch);
  CHECK(memory_of([&] { f(backward_executor{}); }) <= 3 * bitpq::max_scratch);
}

struct convolution_shape {
  const char* name;
  std::size_t batch, in, out;
  bitpq::extent2 image, kernel;
  bitpq::conv2d_options options;
};

const std::vector<convolution_shape> convolutions{
    {"3x3 of 56 x 56", 1, 8, 48, {56, 56}, {3, 3}, {{1, 1}, {1, 1}, {1, 1}, 1}},
    {"3x3, stride 2, of 224 x 224", 1, 3, 8, {224, 224}, {3, 3}, {{2, 2}, {1, 1}, {1, 1}, 1}},
    {"3x3, stride 2, of 64 x 64", 1, 2, 130, {64, 64}, {3, 3}, {{2, 2}, {1, 1}, {1, 1}, 1}},
    {"3x3, stride 2, of 70 images of one pixel", 70, 64, 130, {1, 1}, {3, 3}, {{2, 2}, {1, 1}, {1, 1}, 1}},
    {"3x3, stride 2, of 3 x 2000", 1, 2, 130, {3, 2000}, {3, 3}, {{2, 2}, {1, 1}, {1, 1}, 1}},
    {"depthwise of 112 x 112", 1, 8, 8, {112, 112}, {3, 3}, {{1, 1}, {1, 1}, {1, 1}, 8}},
    {"depthwise of 1 x 100000", 1, 2, 2, {1, 100000}, {1, 9}, {{1, 1}, {0, 4}, {1, 1}, 2}},
    {"1x9 of 1 x 100000", 1, 2, 2, {1, 100000}, {1, 9}, {{1, 1}, {0, 4}, {1, 1}, 1}},
    {"3x3 of 3 x 100000", 1, 2, 2, {3, 100000}, {3, 3}, {{1, 1}, {1, 1}, {1, 1}, 1}},
    {"3x3, dilated by 1000, of 40 x 40", 1, 2, 2, {40, 40}, {3, 3}, {{1, 1}, {1000, 1000}, {1000, 1000}, 1}},
    {"3x3 of 700 images of one pixel", 700, 2, 2, {1, 1}, {3, 3}, {{1, 1}, {1, 1}, {1, 1}, 1}},
    {"31x31 of 64 x 64", 1, 2, 2, {64, 64}, {31, 31}, {{1, 1}, {15, 15}, {1, 1}, 2}},
    {"1x1 of one pixel", 1, 2048, 600, {1, 1}, {1, 1}, {}},
    {"3x3 of one pixel", 1, 512, 200, {3, 3}, {3, 3}, {}},
};

}  // namespace

TEMPLATE_TEST_CASE("products keep to their scratch", "", float, double) {
  const std::pair<bitpq::code_format, std::size_t> products[] = {
      {{2100, 40, 8, 256, 1}, 140}, {{300, 520, 4, 16, 2, 2}, 140}, {{8, 4096, 4096, 4, 1}, 140},
      {{40, 512, 8, 8192, 1}, 70},  {{10, 64, 1, 65536, 1}, 70},    {{3000, 4096, 8, 256, 1}, 1},
      {{3, 20000, 1, 256, 1}, 4}};
  for (const auto& [format, n] : products) {
    const bitpq::pq_matrix<TestType> w = random_pq<TestType>(format, 1);
    const std::vector<TestType> x(format.cols * n);
    std::vector<TestType> y(format.rows * n);
    for_each_isa<TestType>([&, &f = format, &columns = n](const kernel_table<TestType>& k) {
      const bitpq::prepacked_matrix<TestType> packed(w, k, bitpq::precision::lut16);
      for (const gemm_path path : paths_of(bitpq::plan_gemm(packed, columns))) {
        INFO(f.rows << " x " << f.cols << " x " << columns << ", blocks of " << f.block_size << ", " << f.codewords
                    << " codewords, path " << bitpq::to_string(path));
        check_memory([&](bitpq::executor_ref exec) {
          gemm(packed, {x.data(), f.cols, columns}, {y.data(), f.rows, columns}, {}, exec, path);
        });
      }
    });
  }
}

TEMPLATE_TEST_CASE("convolutions keep to their scratch", "", float, double) {
  for (const convolution_shape& s : convolutions) {
    const layer_geometry g = layer_geometry::conv2d(s.out, s.in, s.kernel, s.options);
    const bitpq::extent2 size = g.output_size(s.image);
    const std::vector<TestType> x(s.batch * s.in * s.image.h * s.image.w);
    std::vector<TestType> y(s.batch * s.out * size.h * size.w);
    for (const auto& [d, codewords] :
         {std::pair{9U, 16U}, std::pair{9U, 8192U}, std::pair{4U, 256U}, std::pair{576U, 16U}}) {
      // Large tables for few pixels alone: the two do not multiply in memory, only in the time that this takes.
      if (d > g.cols() || codewords * s.batch * size.h * size.w > std::size_t{1} << 20) continue;
      const bitpq::pq_matrix<TestType> w = random_pq<TestType>({g.rows(), g.cols(), d, codewords, 1}, 1);
      const kernel_table<TestType>& k = bitpq::kernels<TestType>();
      const bitpq::prepacked_matrix<TestType> packed(w, k, bitpq::precision::lut16);
      for (const gemm_path path : paths_of(bitpq::plan_conv2d(packed, g, s.batch, s.image))) {
        INFO(s.name << ", " << codewords << " codewords of " << d << ", path " << bitpq::to_string(path));
        check_memory([&](bitpq::executor_ref exec) {
          conv2d(packed, g, bitpq::nchw_view<const TestType>(x.data(), s.batch, s.in, s.image.h, s.image.w),
                 bitpq::nchw_view<TestType>(y.data(), s.batch, s.out, size.h, size.w), {}, exec, path);
        });
      }
    }
  }
}
