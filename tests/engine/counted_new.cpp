// SPDX-License-Identifier: Apache-2.0

#include "counted_new.hpp"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<std::size_t> count{0};

}  // namespace

namespace engine_test {

std::size_t allocations() noexcept { return count; }

}  // namespace engine_test

void* operator new(std::size_t size) {
  ++count;
  if (void* const p = std::malloc(std::max<std::size_t>(size, 1))) return p;
  throw std::bad_alloc();
}
void* operator new[](std::size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  ++count;
  const auto line = static_cast<std::size_t>(alignment);
  return std::aligned_alloc(line, (std::max<std::size_t>(size, 1) + line - 1) / line * line);
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete[](void* p, std::align_val_t) noexcept { std::free(p); }
