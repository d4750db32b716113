// SPDX-License-Identifier: Apache-2.0
#pragma once

// Products in 8 bits: activations are rounded as they are packed, each column (or image) in a unit of its own that its
// least and largest elements decide; sums are whole numbers, the same for any instruction set; and become floats at the
// store.

#include <bitpq/core/nchw_view.hpp>
#include <bitpq/gemm/detail/convolution_columns.hpp>
#include <bitpq/gemm/detail/panels.hpp>

#include <array>

namespace bitpq {
inline namespace v1 {
namespace detail {

/// Codes whose codewords are rounded to 8 bits. The panel is packed into words once for all stages.
class int8_weights {
 public:
  using input = std::uint8_t;
  using sum = std::int32_t;
  static constexpr bool stores = false;
  using work = std::uint32_t;

  explicit int8_weights(const prepacked_matrix<float>& w) noexcept : w_(&w) {}

  [[nodiscard]] const kernel_table<float>& kernels() const noexcept { return w_->kernels(); }
  [[nodiscard]] std::size_t cols() const noexcept { return w_->cols(); }
  [[nodiscard]] std::size_t panel() const noexcept { return kernels().panel; }
  /// Neighbouring panels see the same inputs, which are rounded once for all; the sums are to stay in the second-level
  /// cache.
  [[nodiscard]] std::size_t max_panels() const noexcept {
    const std::size_t fitting = (std::size_t{1} << 18) / ((std::min)(w_->rows(), max_rows()) * panel() * sizeof(sum));
    return std::clamp(fitting, std::size_t{1}, std::size_t{4});
  }
  [[nodiscard]] static constexpr std::size_t max_rows() noexcept { return int8_task_rows; }
  /// Packing, which rounds to words.
  [[nodiscard]] static constexpr std::size_t overhead_rows() noexcept { return 32; }
  [[nodiscard]] std::size_t depth_end(std::size_t k0) const noexcept {
    return end_of_run(w_->format(), k0, int8_book::blocks_each(w_->format()));
  }
  [[nodiscard]] std::size_t max_depth() const noexcept {
    return int8_book::blocks_each(w_->format()) * w_->format().block_size;
  }
  [[nodiscard]] std::size_t work_size() const noexcept {
    const word_layout layout(kernels().int8.group, w_->format().block_size);
    return layout.of_column(int8_book::blocks_each(w_->format())) * panel();
  }

  void add(const weight_range& at, const panel_product<input, sum>& to, work* words) const noexcept {
    const code_format& format = w_->format();
    const std::size_t d = format.block_size, first = at.k0 / d, depth = at.k1 - at.k0;
    const std::span<const int8_word> extra = w_->int8().extra(at.k0, at.row, at.rows);
    w_->with_codes(first, at.row, [&]<class Code>(const Code* codes) {
      for (std::size_t c = 0; c < to.columns; c += panel()) {
        const std::size_t columns = (std::min)(panel(), to.columns - c);
        kernels().int8.pack(to.inputs + c, to.ld, depth, d, columns, words, panel());
        for (std::size_t stage = 0; stage < format.stages; ++stage)
          kernels().int8.panel(int8_product<Code>{w_->int8().words(format.book_of(stage, first), format.codewords),
                                                  codes + format.position(stage, 0) * w_->code_stride(),
                                                  w_->code_stride(), words, panel(), to.sums + c, to.ld, at.rows,
                                                  columns, ceil_div(depth, d), d, to.accumulate || stage > 0});
        kernels().int8.sparse({extra.data(), extra.size(), at.row, words, panel(), to.sums + c, to.ld, columns});
      }
    });
  }

 private:
  const prepacked_matrix<float>* w_;
};

/// The units of columns or images, from their least and largest elements: bytes 0 to 255 reach from the one to the
/// other, and zero is one of them, so that it stays exact. A column with NaN or infinity in it comes to NaN all over;
/// one that is all but zero (below 1e-36) counts as zero.
class activation_units {
 public:
  explicit activation_units(std::size_t count)
      : count_(count), stride_(round_up(count, lanes)), memory_(3 * stride_ * sizeof(float)) {
    std::fill_n(lows(), count_, 0.0F);
    std::fill_n(highs(), count_, 0.0F);
  }

  /// Where ranges go before `settle`; they begin as zero.
  [[nodiscard]] float* lows() noexcept { return reinterpret_cast<float*>(memory_.data()); }
  [[nodiscard]] float* highs() noexcept { return lows() + stride_; }
  /// From ranges to units() and scales(), the latter times the unit of the weights.
  void settle(float unit) noexcept {
    for (std::size_t i = 0; i < count_; ++i) {
      const float low = lows()[i], high = highs()[i], largest = (std::max)(-low, high);
      const bool usable = largest >= 1e-36F && largest <= (std::numeric_limits<float>::max)();
      // Where both ends are rounded there is one step less, so that they never reach 256.
      const float steps = low < 0 && high > 0 ? 127 : 127.5F, half = high / 2 - low / 2;
      const float inverse = usable ? steps / half : 0.0F;
      zero()[i] = usable ? static_cast<std::int32_t>(std::nearbyint(-low * inverse)) : 0;
      lows()[i] = inverse;
      highs()[i] = usable ? half / steps * unit : largest - largest;
    }
  }
  [[nodiscard]] int8_units units() noexcept { return {lows(), zero()}; }
  [[nodiscard]] const float* scales() noexcept { return highs(); }

 private:
  static constexpr std::size_t lanes = buffer_alignment / sizeof(float);
  [[nodiscard]] std::int32_t* zero() noexcept { return reinterpret_cast<std::int32_t*>(lows() + 2 * stride_); }

  std::size_t count_, stride_;
  scratch memory_;
};

/// Packs 8-bit columns, each in its own unit, from a reader of exact ones.
template <class Reader>
struct int8_reader {
  const kernel_table<float>& kernels;
  const Reader& exact;
  int8_units units;

  struct workspace {
    float* values;
    typename Reader::workspace reading;
  };
  [[nodiscard]] workspace cut(scratch_cutter& memory, std::size_t panel) const noexcept {
    return {memory.take<float>(rows_each * panel + copy_slack), exact.cut(memory, panel)};
  }
  void pack(workspace& memory, std::size_t group, std::size_t k0, std::size_t k1, std::size_t column, std::size_t n,
            std::uint8_t* dst, std::size_t ld) const noexcept {
    const int8_units here{units.inverses + column, units.zeros + column};
    for (std::size_t k = k0; k < k1; k += rows_each) {
      const std::size_t rows = (std::min)(rows_each, k1 - k);
      exact.pack(memory.reading, group, k, k + rows, column, n, memory.values, ld);
      kernels.int8.quantize_rows(memory.values, static_cast<std::ptrdiff_t>(ld), here, dst + (k - k0) * ld, ld, rows,
                                 n);
    }
  }

 private:
  static constexpr std::size_t rows_each = 16;
};

/// Turns finished sums into floats, a few rows at a time, and hands them on. The unit of a column is that of its image.
template <class Store>
struct int8_store {
  const prepacked_matrix<float>& w;
  const Store& store;
  const float* scales;
  const std::int32_t* zeros;
  std::size_t rows_per_group;
  std::size_t image;  ///< columns of an image; 1 where each column has a unit of its own

  void operator()(std::size_t group, std::size_t row, std::size_t rows, std::size_t column, std::size_t n,
                  const std::int32_t* sums, std::size_t ld) const noexcept {
    constexpr std::size_t widest = 256, rows_each = 8;  // as wide as four panels of the widest vectors
    float values[rows_each * widest], units[widest] = {};
    std::int32_t zero[widest] = {};
    for (std::size_t lane = 0; lane < n; ++lane) {
      units[lane] = scales[(column + lane) / image];
      zero[lane] = zeros[(column + lane) / image];
    }
    const std::int32_t* const weights = w.int8().sums() + group * rows_per_group;
    for (const std::size_t end = row + rows; row < end; row += rows_each, sums += rows_each * ld) {
      const std::size_t count = (std::min)(rows_each, end - row);
      w.kernels().int8.dequantize(sums, ld, count, n, weights + row, zero, units, values);
      store(group, row, count, column, n, values, ld);
    }
  }
};

/// Columns of a matrix, each in its own unit. Reader and store as in multiply_panels.
template <class Reader, class Store>
void multiply_int8(const prepacked_matrix<float>& w, const matrix_view<const float>& x, const Reader& reader,
                   const Store& store, executor_ref exec) {
  const kernel_table<float>& kernels = w.kernels();
  activation_units all(x.cols());
  float *const lows = all.lows(), *const highs = all.highs();
  constexpr std::size_t columns_each = 64;
  exec.bulk(ceil_div(x.cols(), columns_each), [&](std::size_t /*worker*/, std::size_t task) {
    const std::size_t first = task * columns_each, n = (std::min)(columns_each, x.cols() - first);
    if (x.stride(1) == 1) {
      kernels.int8.column_ranges(&x(0, first), x.stride(0), x.rows(), n, lows + first, highs + first);
      return;
    }
    for (std::size_t c = first; c < first + n; ++c) {
      const int8_range range = kernels.int8.range(&x(0, c), x.stride(0), x.rows(), {});
      lows[c] = range.low;
      highs[c] = range.high;
    }
  });
  all.settle(w.int8().scale());
  const int8_units units = all.units();
  multiply_panels<float>(int8_weights(w), {1, w.rows(), x.cols()}, int8_reader<Reader>{kernels, reader, units},
                         int8_store<Store>{w, store, all.scales(), units.zeros, w.rows(), 1}, exec);
}

/// No plan takes doubles here.
template <class Reader, class Store>
void multiply_int8(const prepacked_matrix<double>& /*w*/, const matrix_view<const double>& /*x*/,
                   const Reader& /*reader*/, const Store& /*store*/, executor_ref /*exec*/) noexcept {}

/// How convolution_columns packs in 8 bits, each image in its own unit.
struct int8_packing {
  using element = std::uint8_t;
  const int8_kernels* kernels;
  int8_units units;

  [[nodiscard]] element zero(std::size_t image) const noexcept { return static_cast<element>(units.zeros[image]); }
  void gather(const float* src, std::ptrdiff_t step, const copy_run* runs, std::size_t count,
              element* dst) const noexcept {
    kernels->quantize_runs(src, step, runs, count, units, dst);
  }
  void pack(const float* src, std::ptrdiff_t channel, const copy_run& run, element* dst, std::size_t ld,
            std::size_t rows) const noexcept {
    for (std::size_t k = 0; k < rows; ++k, src += channel, dst += ld)
      kernels->quantize_runs(src, 1, &run, 1, units, dst);
  }
  void copy(const element* src, const std::size_t* offsets, std::size_t rows, const copy_run* runs, std::size_t count,
            element* dst, std::size_t ld) const noexcept {
    kernels->copy_runs(src, offsets, rows, runs, count, dst, ld);
  }
};

/// The least and the largest element of an image whose channels, rows and columns lie anyhow: in runs as long as memory
/// allows.
inline int8_range image_range(const int8_kernels& kernels, const nchw_view<const float>& x,
                              std::size_t image) noexcept {
  struct axis {
    std::size_t extent;
    std::ptrdiff_t stride;
  };
  std::array<axis, 3> axes{{{x.channels(), x.stride(1)}, {x.height(), x.stride(2)}, {x.width(), x.stride(3)}}};
  std::sort(axes.begin(), axes.end(),
            [](const axis& a, const axis& b) { return std::abs(a.stride) > std::abs(b.stride); });
  for (std::size_t inner = 2; inner-- > 0;)
    if (axes[inner].stride == axes[2].stride * static_cast<std::ptrdiff_t>(axes[2].extent)) {
      axes[2].extent *= axes[inner].extent;
      axes[inner] = {1, 0};
    }
  int8_range range;
  const float* const first = x.data_handle() + static_cast<std::ptrdiff_t>(image) * x.stride(0);
  for (std::size_t i = 0; i < axes[0].extent; ++i)
    for (std::size_t j = 0; j < axes[1].extent; ++j)
      range = kernels.range(
          first + static_cast<std::ptrdiff_t>(i) * axes[0].stride + static_cast<std::ptrdiff_t>(j) * axes[1].stride,
          axes[2].stride, axes[2].extent, range);
  return range;
}

/// A convolution, each image in its own unit. Store as in multiply_panels.
template <class Store>
void convolve_int8(const prepacked_matrix<float>& w, const layer_geometry& g, const nchw_view<const float>& x,
                   extent2 out, const Store& store, executor_ref exec) {
  const int8_kernels& kernels = w.kernels().int8;
  activation_units all(x.batch());
  exec.bulk(x.batch(), [&](std::size_t /*worker*/, std::size_t i) {
    const int8_range range = image_range(kernels, x, i);
    all.lows()[i] = range.low;
    all.highs()[i] = range.high;
  });
  all.settle(w.int8().scale());
  const int8_units units = all.units();
  const std::size_t image = out.h * out.w, rows = g.out_per_group();
  multiply_panels<float>(int8_weights(w), {g.groups(), rows, x.batch() * image},
                         convolution_columns<float, int8_packing>({&kernels, units}, x, g, out),
                         int8_store<Store>{w, store, all.scales(), units.zeros, rows, image}, exec);
}

template <class Store>
void convolve_int8(const prepacked_matrix<double>& /*w*/, const layer_geometry& /*g*/,
                   const nchw_view<const double>& /*x*/, extent2 /*out*/, const Store& /*store*/,
                   executor_ref /*exec*/) noexcept {}

}  // namespace detail
}  // namespace v1
}  // namespace bitpq
