// SPDX-License-Identifier: Apache-2.0
#pragma once

// An owning array of trivial elements on a 64-byte boundary: one cache line, one AVX-512 register.

#include <bitpq/core/concepts.hpp>

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <type_traits>

namespace bitpq {
inline namespace v1 {

/// Alignment of every buffer that kernels read, in bytes.
inline constexpr std::size_t buffer_alignment = 64;

/// `size` zero-initialised elements, aligned to `buffer_alignment`. Copies are deep.
template <class T>
requires std::is_trivially_copyable_v<T>
class aligned_buffer {
 public:
  aligned_buffer() = default;

  /// Throws out_of_memory with the number of bytes when they cannot be had.
  explicit aligned_buffer(std::size_t size) : data_(allocate(size)), size_(size) {}

  explicit aligned_buffer(std::span<const T> values) : aligned_buffer(values.size()) {
    std::copy(values.begin(), values.end(), data_.get());
  }

  aligned_buffer(const aligned_buffer& other) : aligned_buffer(other.span()) {}
  aligned_buffer& operator=(const aligned_buffer& other) {
    aligned_buffer copy(other);
    swap(copy);
    return *this;
  }
  aligned_buffer(aligned_buffer&& other) noexcept { swap(other); }
  aligned_buffer& operator=(aligned_buffer&& other) noexcept {
    aligned_buffer taken(std::move(other));
    swap(taken);
    return *this;
  }
  ~aligned_buffer() = default;

  [[nodiscard]] T* data() noexcept { return data_.get(); }
  [[nodiscard]] const T* data() const noexcept { return data_.get(); }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] T& operator[](std::size_t i) noexcept { return data_.get()[i]; }
  [[nodiscard]] const T& operator[](std::size_t i) const noexcept { return data_.get()[i]; }
  [[nodiscard]] T* begin() noexcept { return data_.get(); }
  [[nodiscard]] T* end() noexcept { return data_.get() + size_; }
  [[nodiscard]] const T* begin() const noexcept { return data_.get(); }
  [[nodiscard]] const T* end() const noexcept { return data_.get() + size_; }
  [[nodiscard]] std::span<T> span() noexcept { return {data_.get(), size_}; }
  [[nodiscard]] std::span<const T> span() const noexcept { return {data_.get(), size_}; }

  void swap(aligned_buffer& other) noexcept {
    data_.swap(other.data_);
    std::swap(size_, other.size_);
  }

 private:
  struct release {
    void operator()(T* p) const noexcept { ::operator delete[](p, std::align_val_t{buffer_alignment}); }
  };

  static T* allocate(std::size_t size) {
    if (size == 0) return nullptr;
    const std::size_t bytes = checked_product(size, sizeof(T), "buffer");
    void* const p = ::operator new[](bytes, std::align_val_t{buffer_alignment}, std::nothrow);
    require(p != nullptr, errc::out_of_memory, "cannot allocate ", bytes, " bytes");
    std::memset(p, 0, bytes);
    return static_cast<T*>(p);
  }

  std::unique_ptr<T[], release> data_;
  std::size_t size_ = 0;
};

}  // namespace v1
}  // namespace bitpq
