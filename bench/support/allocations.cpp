// SPDX-License-Identifier: Apache-2.0

// The global operator new with a count. The other forms (arrays, nothrow, sized) are the standard library's, which
// calls these. Where the C library does not tell the size of what it gave, nothing is counted.

#include "support/allocations.hpp"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <new>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace {

// Read and written without order: the figures are of one thread, and others must merely not break them.
std::atomic<std::size_t> held{0}, most{0};

}  // namespace

#if defined(__GLIBC__)

namespace {

void* counted(void* p) {
  if (p == nullptr) throw std::bad_alloc();
  const std::size_t now = held.fetch_add(malloc_usable_size(p), std::memory_order_relaxed) + malloc_usable_size(p);
  if (now > most.load(std::memory_order_relaxed)) most.store(now, std::memory_order_relaxed);
  return p;
}

void release(void* p) noexcept {
  if (p == nullptr) return;
  held.fetch_sub(malloc_usable_size(p), std::memory_order_relaxed);
  std::free(p);
}

}  // namespace

void* operator new(std::size_t size) { return counted(std::malloc(std::max<std::size_t>(size, 1))); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  const auto a = static_cast<std::size_t>(alignment);
  return counted(std::aligned_alloc(a, (std::max<std::size_t>(size, 1) + a - 1) / a * a));
}
void operator delete(void* p) noexcept { release(p); }
void operator delete(void* p, std::size_t) noexcept { release(p); }
void operator delete(void* p, std::align_val_t) noexcept { release(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { release(p); }

#endif

namespace bench::detail {

std::size_t begin_counting() noexcept {
  const std::size_t now = held.load(std::memory_order_relaxed);
  most.store(now, std::memory_order_relaxed);
  return now;
}

std::size_t end_counting(std::size_t at_start) noexcept { return most.load(std::memory_order_relaxed) - at_start; }

}  // namespace bench::detail
