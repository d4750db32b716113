// SPDX-License-Identifier: Apache-2.0
#pragma once

// Products with few columns, each on its own (decoding: two at a time): nothing is built that only many columns would
// pay for. Tasks are runs of rows. store.column(row, rows, column, sums) takes finished sums, see store_column. Nothing
// is stored before all memory is had.

#include <bitpq/core/executor.hpp>
#include <bitpq/core/scratch.hpp>
#include <bitpq/gemm/prepack.hpp>

#include <algorithm>
#include <array>
#include <span>

namespace bitpq {
inline namespace v1 {
namespace detail {

/// Stores `rows` sums of one column, which lie together, to where `to` says they begin. The kernel takes them as one
/// row, so that scales and biases, which differ from sum to sum, are applied to the sums on the way.
template <scalar T>
void store_column(const kernel_table<T>& kernels, const store_target<T>& to, std::size_t rows, T* sums) noexcept {
  if (to.scale != nullptr)
    for (std::size_t r = 0; r < rows; ++r) sums[r] *= to.scale[r];
  if (to.bias != nullptr)
    for (std::size_t r = 0; r < rows; ++r) sums[r] += to.bias[r];
  kernels.store_rows(sums, rows, 1, rows, {to.y, 0, to.y_row, nullptr, to.residual, 0, to.residual_row, to.relu});
}

/// Rows of a task that decodes, and bytes of the columns that tasks share.
inline constexpr std::size_t decoded_rows = 256, spread_memory = std::size_t{2} << 20;

/// Writes columns of the input with blocks at the stride of padded codewords; what lies between them stays.
template <scalar T>
void spread_blocks(const prepacked_matrix<T>& w, const matrix_view<const T>& x, T* spread) noexcept {
  const std::size_t d = w.format().block_size, each = w.vectors().size(), blocks = w.format().blocks();
  for (std::size_t c = 0; c < x.cols(); ++c)
    for (std::size_t j = 0; j < blocks; ++j)
      for (std::size_t i = 0; i < w.format().width_of(j); ++i) spread[(c * blocks + j) * each + i] = x(j * d + i, c);
}

/// A run of rows times one or two spread columns; `first` is the number of the first one to `store`.
template <scalar T, class Store>
void decode_rows(const prepacked_matrix<T>& w, const T* input, std::size_t row, std::size_t rows, std::size_t first,
                 std::size_t columns, const Store& store) noexcept {
  const code_format& format = w.format();
  const std::size_t each = w.vectors().size(), column_size = format.blocks() * each;
  std::array<T, 2 * decoded_rows> sums{};
  for (std::size_t b = 0; b < format.books(); ++b) {
    const std::size_t stage = b / format.codebooks, block = b % format.codebooks * format.blocks_per_codebook();
    w.with_codes(format.position(stage, block), row, [&]<class Code>(const Code* codes) {
      const dot_operands<T, Code> operands{w.vectors(),     w.narrow_book(b),     codes,
                                           w.code_stride(), input + block * each, column_size};
      w.kernels().template on<Code>().dot_rows(operands, sums.data(), decoded_rows, rows,
                                               (std::min)(format.blocks_per_codebook(), format.blocks() - block),
                                               columns);
    });
  }
  for (std::size_t c = 0; c < columns; ++c) store.column(row, rows, first + c, sums.data() + c * decoded_rows);
}

/// By decoding, as many columns at once as spread_memory takes; `first` is the number of x's first column to `store`.
template <scalar T, class Store>
void decode_columns(const prepacked_matrix<T>& w, matrix_view<const T> x, std::size_t first, const Store& store,
                    executor_ref exec) {
  const std::size_t column_size = w.format().blocks() * w.vectors().size();
  const std::size_t pairs = (std::max)(std::size_t{1}, spread_memory / (2 * column_size * sizeof(T)));
  const std::size_t columns_each = (std::min)(x.cols(), 2 * pairs), row_tasks = ceil_div(w.rows(), decoded_rows);
  scratch memory(columns_each * column_size * sizeof(T));
  T* const input = reinterpret_cast<T*>(memory.data());
  std::fill_n(input, columns_each * column_size, T{0});
  for (std::size_t begin = 0; begin < x.cols(); begin += columns_each) {
    const std::size_t n = (std::min)(columns_each, x.cols() - begin);
    spread_blocks(w, x.block(0, begin, x.rows(), n), input);
    exec.bulk(row_tasks * ceil_div(n, std::size_t{2}), [&](std::size_t /*worker*/, std::size_t task) {
      const std::size_t row = task % row_tasks * decoded_rows, column = task / row_tasks * 2;
      decode_rows(w, input + column * column_size, row, (std::min)(decoded_rows, w.rows() - row),
                  first + begin + column, (std::min)(std::size_t{2}, n - column), store);
    });
  }
}

/// Blocks sorted by the scale of their 16-bit tables, and cut into groups that may be added up together. Blocks whose
/// products are all zero are in none.
class lut16_groups {
 public:
  struct group {
    std::uint32_t first, count;
    std::uint8_t exponent;
  };

  /// For up to `blocks` blocks at a time.
  lut16_groups(scratch_cutter& memory, std::size_t blocks) noexcept
      : order_(memory.take<std::uint32_t>(blocks)), groups_(memory.take<group>(blocks)) {}

  /// False when some product is no finite number: then the groups are of no use. Sorts windows of neighbouring blocks,
  /// not all of them at once: codes that do not come from the caches come faster in the order of memory.
  bool sort(const std::uint8_t* exponents, std::size_t blocks) noexcept {
    count_ = 0;
    for (std::size_t first = 0; first < blocks; first += window)
      if (!sort_window(exponents, first, (std::min)(first + window, blocks))) return false;
    return true;
  }
  [[nodiscard]] std::span<const group> groups() const noexcept { return {groups_, count_}; }
  [[nodiscard]] const std::uint32_t* order(const group& g) const noexcept { return order_ + g.first; }

 private:
  static constexpr std::size_t window = lut16_blocks;

  bool sort_window(const std::uint8_t* exponents, std::size_t first, std::size_t last) noexcept {
    std::array<std::uint32_t, 256> count{}, next{};
    for (std::size_t j = first; j < last; ++j) ++count[exponents[j]];
    auto at = static_cast<std::uint32_t>(first);
    for (std::size_t e = 0; e < count.size(); ++e) {
      next[e] = at;
      if (count[e] > 0 && e != lut16_nothing) groups_[count_++] = {at, count[e], static_cast<std::uint8_t>(e)};
      at += count[e];
    }
    for (std::size_t j = first; j < last; ++j) order_[next[exponents[j]]++] = static_cast<std::uint32_t>(j);
    return count[lut16_not_finite] == 0;
  }

  std::uint32_t* order_;
  group* groups_;
  std::size_t count_ = 0;
};

/// One column at a time by look-up tables, exact ones or of 16 bits, as many blocks at once as their memory allows. A
/// block has a table for each stage: blocks are told by their positions, see code_format.
template <scalar T>
class table_columns {
 public:
  /// `memory` outlives the object; on a cutter without memory the object only counts.
  table_columns(const prepacked_matrix<T>& w, bool exact, executor_ref exec, scratch_cutter& memory) noexcept
      : w_(&w),
        exact_(exact),
        exec_(exec),
        bytes_(exact ? exact_table_bytes(w.format().codewords) : lut16_table_bytes(w.format().codewords)),
        blocks_each_((std::min)(w.format().row_codes(), table_memory / bytes_)),
        input_size_(w.format().blocks() * w.format().block_size),
        sums_size_(round_up(w.rows(), gemv_rows)),
        input_(memory.take<T>(input_size_)),
        tables_(memory.take<std::uint8_t>(blocks_each_ * bytes_)),
        exponents_(memory.take<std::uint8_t>(blocks_each_)),
        sums_(memory.take<T>(sums_size_)),
        groups_(memory, exact ? 0 : blocks_each_) {}

  /// False, and nothing stored, when 16 bits cannot hold the products because some are no finite numbers.
  template <class Store>
  bool multiply(matrix_view<const T> x, std::size_t column, const Store& store) {
    for (std::size_t k = 0; k < x.rows(); ++k) input_[k] = x(k, 0);
    std::fill(input_ + x.rows(), input_ + input_size_, T{0});
    std::fill_n(sums_, sums_size_, T{0});
    const std::size_t blocks = w_->format().row_codes();
    for (std::size_t first = 0; first < blocks; first += blocks_each_) {
      const std::size_t count = (std::min)(blocks_each_, blocks - first);
      build(first, count);
      if (!exact_ && !groups_.sort(exponents_, count)) return false;
      exec_.bulk(ceil_div(w_->rows(), rows_each), [&](std::size_t /*worker*/, std::size_t task) {
        const std::size_t row = task * rows_each, rows = (std::min)(rows_each, w_->rows() - row);
        add(first, count, row, round_up(rows, gemv_rows));
        if (first + count == blocks) store.column(row, rows, column, sums_ + row);
      });
    }
    return true;
  }

 private:
  static constexpr std::size_t table_memory = std::size_t{1} << 20, rows_each = 1024, blocks_per_build = 16;

  void build(std::size_t first, std::size_t count) {
    exec_.bulk(ceil_div(count, blocks_per_build), [&](std::size_t /*worker*/, std::size_t task) {
      const code_format& format = w_->format();
      const std::size_t end = (std::min)(count, (task + 1) * blocks_per_build);
      for (std::size_t i = task * blocks_per_build; i < end;) {
        const std::size_t stage = (first + i) / format.blocks(), j = (first + i) % format.blocks();
        const std::size_t n = (std::min)(end - i, format.codebook_end(j) - j);
        const T* const words = w_->words(format.book_of(stage, j));
        const T* const x = input_ + j * format.block_size;
        const lookup_kernels<T>& kernels = w_->kernels().lookup;
        if (exact_)
          kernels.build_exact(words, format.codewords, format.block_size, x, n, tables_ + i * bytes_);
        else
          kernels.build_lut16(words, format.codewords, format.block_size, x, n, tables_ + i * bytes_, exponents_ + i);
        i += n;
      }
    });
  }

  void add(std::size_t first, std::size_t count, std::size_t row, std::size_t rows) noexcept {
    const std::size_t codewords = w_->format().codewords;
    const lookup_kernels<T>& kernels = w_->kernels().lookup;
    w_->with_codes(first, row, [&]<class Code>(const Code* codes) {
      if constexpr (sizeof(Code) == 1) {
        if (exact_)
          kernels.add_exact(tables_, codewords, codes, w_->code_stride(), sums_ + row, rows, count);
        else
          for (const lut16_groups::group& g : groups_.groups())
            kernels.add_lut16(tables_, codewords, groups_.order(g), g.count, g.exponent, codes, w_->code_stride(),
                              sums_ + row, rows);
      }
    });
  }

  const prepacked_matrix<T>* w_;
  bool exact_;
  executor_ref exec_;
  std::size_t bytes_, blocks_each_, input_size_, sums_size_;
  T* input_;
  std::uint8_t *tables_, *exponents_;
  T* sums_;
  lut16_groups groups_;
};

/// `path` is gemv, gemv_lut or lut16 and serves `w`.
template <scalar T, class Store>
void multiply_columns(const prepacked_matrix<T>& w, gemm_path path, matrix_view<const T> x, const Store& store,
                      executor_ref exec) {
  if (path == gemm_path::gemv) return decode_columns(w, x, 0, store, exec);
  const bool exact = path == gemm_path::gemv_lut;
  scratch_cutter counted;
  static_cast<void>(table_columns<T>(w, exact, exec, counted));
  scratch memory(counted.used());
  scratch_cutter cutter(memory.data());
  table_columns<T> tables(w, exact, exec, cutter);
  for (std::size_t c = 0; c < x.cols(); ++c) {
    const matrix_view<const T> column = x.block(0, c, x.rows(), 1);
    if (!tables.multiply(column, c, store)) decode_columns(w, column, c, store, exec);
  }
}

}  // namespace detail
}  // namespace v1
}  // namespace bitpq
