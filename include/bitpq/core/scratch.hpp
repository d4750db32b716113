// SPDX-License-Identifier: Apache-2.0
#pragma once

// Memory that a call borrows and gives back. Fresh pages cost more than a small layer's arithmetic, so each thread
// keeps what its calls gave back; a call that runs inside another on the same thread borrows memory of its own.

#include <bitpq/core/aligned_buffer.hpp>

#include <algorithm>
#include <array>
#include <cstddef>

namespace bitpq {
inline namespace v1 {

namespace detail {
/// A few: calls inside calls are rare and not deep.
using scratch_slots = std::array<aligned_buffer<std::byte>, 4>;

inline scratch_slots& idle_scratch() noexcept {
  thread_local scratch_slots idle;
  return idle;
}
}  // namespace detail

/// Gives the memory that this thread keeps for its next calls back to the system.
inline void release_scratch() noexcept { detail::idle_scratch() = {}; }

/// `size` bytes, aligned to buffer_alignment and not initialised, for as long as the object lives on the thread that
/// made it. Throws out_of_memory.
class scratch {
 public:
  explicit scratch(std::size_t size) {
    detail::scratch_slots& idle = detail::idle_scratch();
    buffer_.swap(*std::max_element(idle.begin(), idle.end(), smaller));
    if (buffer_.size() < size) {
      buffer_ = {};  // first, so that both are never held at once
      buffer_ = aligned_buffer<std::byte>(size);
    }
  }
  scratch(const scratch&) = delete;
  scratch& operator=(const scratch&) = delete;
  /// Keeps the larger ones.
  ~scratch() {
    detail::scratch_slots& idle = detail::idle_scratch();
    aligned_buffer<std::byte>& least = *std::min_element(idle.begin(), idle.end(), smaller);
    if (smaller(least, buffer_)) least.swap(buffer_);
  }

  [[nodiscard]] std::byte* data() noexcept { return buffer_.data(); }

 private:
  static bool smaller(const aligned_buffer<std::byte>& a, const aligned_buffer<std::byte>& b) noexcept {
    return a.size() < b.size();
  }
  aligned_buffer<std::byte> buffer_;
};

/// Cuts memory into arrays, each aligned to buffer_alignment. Made on a null pointer it only counts: used() bytes.
class scratch_cutter {
 public:
  explicit scratch_cutter(std::byte* memory = nullptr) noexcept : memory_(memory) {}

  template <class T>
  T* take(std::size_t size) noexcept {
    const std::size_t at = used_;
    used_ += round_up(size * sizeof(T), buffer_alignment);
    return memory_ == nullptr ? nullptr : reinterpret_cast<T*>(memory_ + at);
  }
  [[nodiscard]] std::size_t used() const noexcept { return used_; }

 private:
  std::byte* memory_;
  std::size_t used_ = 0;
};

}  // namespace v1
}  // namespace bitpq
