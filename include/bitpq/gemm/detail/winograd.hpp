// SPDX-License-Identifier: Apache-2.0
#pragma once

// 3 x 3 convolutions of stride 1 or 2 by Winograd's filtering of tiles of 2 x 2 or 4 x 4 outputs, straight from codes.
// Where a block is one kernel window, or several, a codeword is a filter, or several, and the transform of the weights
// is the transform of the codebook: K filters instead of out x in. Of the transformed codebook, each of the 16 or 36
// values of a filter is a codebook of its own with the same codes and blocks of one element per filter, so that the
// product at every position of a tile is one from codes, too; with several stages, a sum of such products. The inputs
// of tiles are read as those of a convolution of 4 x 4 with stride 2, or of 6 x 6 with stride 4; where the layer's
// stride is 2, of 5 x 5 with stride 4, or of 9 x 9 with stride 8.
//
// Tiles lie across the lanes of panels. Where they are hardly more than a vector, or a few beyond whole ones, positions
// do, in strips (kernel/winograd_strips.hpp), if the kernels have these. Either way a product sums the same numbers in
// the same order.

#include <bitpq/gemm/detail/convolution_columns.hpp>
#include <bitpq/gemm/detail/panels.hpp>
#include <bitpq/gemm/plan.hpp>

namespace bitpq {
inline namespace v1 {
namespace detail {

/// The width of panels, in whole vectors: a little less than `panel` where the last round of tasks would leave threads
/// idle.
inline std::size_t even_panel(std::size_t tiles, std::size_t panel, std::size_t lanes, std::size_t threads) noexcept {
  const std::size_t busy = busy_panels(tiles, panel);
  if (busy < threads || busy % threads == 0 || busy >= 4 * threads) return panel;
  return (std::max)(lanes, tiles / round_up(busy, threads) / lanes * lanes);
}

template <scalar T>
class winograd_product {
 public:
  /// Blocks at a time, whose codes are lines of the first-level cache that share few sets.
  static constexpr std::size_t max_blocks = 64;
  /// What a task does whatever its rows, transforming inputs, in rows.
  static constexpr std::size_t overhead_rows = 16;
  /// Channels that a strip is multiplied with at a time: their inputs are to stay in the first-level cache, beside the
  /// codewords.
  static constexpr std::size_t strip_channels = 32;

  winograd_product(const prepacked_matrix<T>& w, std::size_t tile, const layer_geometry& geometry,
                   const nchw_view<const T>& x, extent2 out) noexcept
      : w_(&w),
        transforms_(&w.kernels().winograd_of(tile, geometry.conv.stride.h)),
        tile_(tile),
        stride_(geometry.conv.stride.h),
        positions_(winograd_positions(tile, stride_)),
        g_(geometry),
        tiles_(winograd_tiles(out, tile)),
        filters_(w.format().block_size / 9),
        reader_(w.kernels(), x, tile_geometry(geometry, tile), tiles_, window_use::whole_rows) {}

  /// store(group, row, rows, first, n, outputs, ld) takes, per row of weights, the outputs of tiles first .. first + n,
  /// side by side, each of their rows ld / tile behind the one before. Throws out_of_memory before anything is written.
  template <class Store>
  void run(std::size_t batch, const Store& store, executor_ref exec) const {
    const code_format& format = w_->format();
    const std::size_t books = format.books();
    const std::size_t book_size = winograd_filter_values(tile_) * format.codewords * filters_;
    const std::size_t tiles = batch * tiles_.h * tiles_.w;
    const std::size_t lanes = w_->kernels().lanes;
    const std::size_t panel =
        even_panel(tiles, (std::min)(w_->kernels().panel, round_up(tiles, lanes)), lanes, exec.concurrency());
    const std::size_t max_rows = winograd_task_bytes(stride_) / (positions_ * panel * sizeof(T));
    const std::size_t panels = ceil_div(tiles, panel), out_rows = g_.out_per_group();
    const std::size_t last = tiles - (panels - 1) * panel, few = has_strips() ? tiles_in_strips(last, lanes) : 0;
    const std::size_t apart = few < last ? few : 0;  // a piece of their own
    const std::size_t pieces = panels + (apart > 0);
    const std::size_t words_size = few > 0 ? strip_parts(lanes) * format.codewords * filters_ * lanes : 0;
    const std::size_t rows_each =
        rows_of_task(out_rows, max_rows, overhead_rows, g_.groups() * busy_panels(tiles, panel), exec.concurrency());
    const std::size_t row_tasks = ceil_div(out_rows, rows_each);
    const auto cut = [&](scratch_cutter memory) {
      worker_memory mine{
          memory.take<T>((std::max)(positions_ * position_stride(panel), tile_ * tile_ * rows_each * panel)),
          memory.take<T>(positions_ * rows_each * panel),
          rows_each * panel,
          panel,
          memory.take<T>(few > 0 ? positions_ * (panel + lanes) : 0),
          reader_.cut(memory, panel)};
      return std::pair(mine, memory.used());
    };
    const std::size_t bytes_each = cut(scratch_cutter()).second;
    const auto cut_books = [&](scratch_cutter memory) {
      const codebooks transformed{memory.take<T>(books * book_size), book_size, memory.take<T>(books * words_size),
                                  words_size};
      return std::pair(transformed, memory.used());
    };
    const std::size_t books_bytes = cut_books(scratch_cutter()).second;
    scratch memory(books_bytes + checked_product(bytes_each, exec.concurrency(), "scratch"));
    const codebooks transformed = cut_books(scratch_cutter(memory.data())).first;
    for (std::size_t b = 0; b < books; ++b) {
      transform_book(b, transformed.elements + b * book_size);
      if (few > 0) strip_book(transformed.elements + b * book_size, transformed.vectors + b * words_size);
    }

    exec.bulk(g_.groups() * row_tasks * pieces, [&](std::size_t worker, std::size_t task) {
      worker_memory mine = cut(scratch_cutter(memory.data() + books_bytes + worker * bytes_each)).first;
      const std::size_t group = task / (row_tasks * pieces), row = task / pieces % row_tasks * rows_each;
      const std::size_t at = task % pieces, first = at < panels ? at * panel : tiles - apart;
      const std::size_t columns = at < panels ? (std::min)(panel, tiles - apart - first) : apart;
      const piece p{group, row, (std::min)(rows_each, out_rows - row), first, columns};
      const bool strips = in_strips(columns);
      if (strips)
        multiply_strips(mine, p, transformed);
      else
        multiply_panel(mine, p, transformed);
      T* const outputs = mine.inputs;  // of no use any more
      const std::size_t ld = tile_ * tile_ * panel;
      for (std::size_t r = 0; r < p.rows; ++r) {
        if (strips)
          w_->kernels().strips.outputs(mine.products + r * strip_size(), p.rows * strip_size(), columns, mine.tiles,
                                       panel);
        transforms_->output(strips ? mine.tiles : mine.products + r * panel, strips ? panel : mine.product_stride,
                            outputs + r * ld, tile_ * panel, columns);
      }
      store(group, row, p.rows, first, columns, outputs, ld);
    });
  }

 private:
  /// Transformed, one codebook after the other: as panels read them, by elements, and as strips do, by vectors.
  struct codebooks {
    T* elements;
    std::size_t elements_each;
    T* vectors;
    std::size_t vectors_each;
  };
  struct worker_memory {
    T* inputs;    ///< transformed, [position][channel][tile] or [strip][channel]; later the outputs
    T* products;  ///< [position][row][tile] or [strip][row]
    std::size_t product_stride;
    std::size_t panel;  ///< tiles of a task at most
    T* tiles;           ///< [position][tile] of one channel or row on its way into strips or out of them
    typename convolution_columns<T>::workspace reading;
  };
  struct piece {
    std::size_t group, row, rows, first, columns;
  };

  static layer_geometry tile_geometry(layer_geometry g, std::size_t tile) noexcept {
    const std::size_t stride = g.conv.stride.h, side = winograd_side(tile, stride);
    g.kernel = {side, side};
    g.conv.stride = {tile * stride, tile * stride};
    return g;
  }
  [[nodiscard]] bool has_strips() const noexcept {
    return tile_ == 4 && stride_ == 1 && w_->kernels().strips.filters != nullptr;
  }
  /// Whether a piece of that many tiles is multiplied in strips.
  [[nodiscard]] bool in_strips(std::size_t tiles) const noexcept {
    return has_strips() && tiles_in_strips(tiles, w_->kernels().lanes) == tiles;
  }
  [[nodiscard]] std::size_t strip_size() const noexcept { return strip_vectors * w_->kernels().lanes; }
  /// Channels of a run, whole blocks.
  [[nodiscard]] std::size_t run_channels() const noexcept {
    return (std::min)(winograd_task_channels(tile_, stride_) / filters_, max_blocks) * filters_;
  }
  /// From one position's inputs to the next; the odd vector keeps positions out of each other's cache sets.
  [[nodiscard]] std::size_t position_stride(std::size_t panel) const noexcept {
    return run_channels() * panel + w_->kernels().lanes;
  }

  /// to[(v * filters + f) * codewords + k] = value v of filter f of codeword k.
  void transform_book(std::size_t b, T* to) const noexcept {
    const std::size_t words = w_->format().codewords;
    for (std::size_t f = 0; f < filters_; ++f)
      transforms_->filter(w_->book(b) + f * 9, filters_ * 9, words, to + f * words, filters_ * words);
  }

  /// The same as vectors, filter after filter.
  void strip_book(const T* book, T* to) const noexcept {
    const std::size_t words = w_->format().codewords, lanes = w_->kernels().lanes;
    const std::size_t size = strip_parts(lanes) * words * lanes;
    for (std::size_t f = 0; f < filters_; ++f)
      w_->kernels().strips.filters(book + f * words, filters_ * words, words, to + f * size);
  }

  /// Run after run of the channels: transform(c) takes channel c of the run, which the window shows, and add(codes,
  /// book, channels, accumulate), for each stage, multiplies them all.
  template <class Transform, class Add>
  void for_each_run(worker_memory& mine, const piece& p, const Transform& transform, const Add& add) const noexcept {
    const code_format& format = w_->format();
    for (std::size_t c0 = 0, channels = g_.in_per_group(); c0 < channels;) {
      const std::size_t k1 = end_of_run(format, c0 * 9, run_channels() / filters_);
      const std::size_t c1 = k1 / 9, first = c0 / filters_;
      for (std::size_t c = c0; c < c1; ++c) {
        reader_.look(mine.reading, p.group, c, p.first, p.columns);
        transform(c - c0);
      }
      const std::size_t row = p.group * g_.out_per_group() + p.row;
      for (std::size_t stage = 0; stage < format.stages; ++stage)
        w_->with_codes(format.position(stage, first), row, [&]<class Code>(const Code* codes) {
          add(codes, format.book_of(stage, first), c1 - c0, c0 + stage > 0);
        });
      c0 = c1;
    }
  }
  void transform_inputs(const worker_memory& mine, T* to, std::size_t ld) const noexcept {
    transforms_->input(mine.reading.window, mine.reading.taps, mine.reading.pixels, mine.reading.pixel_count, to, ld);
  }

  /// The products of a piece of few tiles: each filter of a codeword with its channels, strip after strip.
  void multiply_strips(worker_memory& mine, const piece& p, const codebooks& books) const noexcept {
    const strip_kernels<T>& kernels = w_->kernels().strips;
    const std::size_t lanes = w_->kernels().lanes, size = strip_size(), input_ld = mine.panel + lanes;
    const std::size_t strip_stride = run_channels() * size, part_size = w_->format().codewords * lanes;
    for_each_run(
        mine, p,
        [&](std::size_t c) {
          transform_inputs(mine, mine.tiles, input_ld);
          kernels.inputs(mine.tiles, input_ld, p.columns, mine.inputs + c * size, strip_stride);
        },
        [&]<class Code>(const Code* codes, std::size_t b, std::size_t channels, bool accumulate) {
          for (std::size_t f = 0; f < (std::min)(filters_, channels); ++f)
            for (std::size_t j = 0, blocks = ceil_div(channels - f, filters_); j < blocks; j += strip_channels) {
              strip_product<T, Code> product{};
              product.words = books.vectors + b * books.vectors_each + f * strip_parts(lanes) * part_size;
              product.codes = codes + j * w_->code_stride();
              product.code_stride = w_->code_stride();
              product.inputs = mine.inputs + (j * filters_ + f) * size;
              product.input_stride = filters_ * size;
              product.sums = mine.products;
              product.rows = p.rows;
              product.channels = (std::min)(strip_channels, blocks - j);
              product.accumulate = accumulate || f + j > 0;
              for (std::size_t part = 0; part < strip_parts(lanes); ++part, product.words += part_size)
                for (std::size_t left = strip_part_vectors(part, p.columns, lanes); left > 0; left -= product.vectors) {
                  product.vectors = (std::min)(strip_vectors, left);
                  w_->kernels().template on<Code>().multiply_strip(product);
                  product.inputs += strip_stride;
                  product.sums += p.rows * size;
                }
            }
        });
  }

  /// The products of a piece at all positions, one after the other.
  void multiply_panel(worker_memory& mine, const piece& p, const codebooks& books) const noexcept {
    const kernel_table<T>& kernels = w_->kernels();
    const std::size_t panel = mine.panel, stride = position_stride(panel), words = w_->format().codewords;
    for_each_run(
        mine, p, [&](std::size_t c) { transform_inputs(mine, mine.inputs + c * panel, stride); },
        [&]<class Code>(const Code* codes, std::size_t b, std::size_t channels, bool accumulate) {
          const T* const book = books.elements + b * books.elements_each;
          for (std::size_t t = 0; t < positions_; ++t)
            for (std::size_t f = 0, v = winograd_filter_at(t, tile_, stride_); f < (std::min)(filters_, channels); ++f)
              kernels.template on<Code>().code_panel(
                  book + (v * filters_ + f) * words, 1, codes, w_->code_stride(), mine.inputs + t * stride + f * panel,
                  filters_ * panel, mine.products + t * mine.product_stride, static_cast<std::ptrdiff_t>(panel), p.rows,
                  p.columns, ceil_div(channels - f, filters_), 1, accumulate || f > 0);
        });
  }

  const prepacked_matrix<T>* w_;
  const winograd_kernels<T>* transforms_;
  std::size_t tile_, stride_, positions_;
  layer_geometry g_;
  extent2 tiles_;
  std::size_t filters_;  // of a codeword
  convolution_columns<T> reader_;
};

}  // namespace detail
}  // namespace v1
}  // namespace bitpq
