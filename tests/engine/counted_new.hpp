// SPDX-License-Identifier: Apache-2.0
#pragma once

// How often a program asks for memory. counted_new.cpp replaces the forms of operator new that the library and the
// standard containers use.

#include <cstddef>

namespace engine_test {

std::size_t allocations() noexcept;

}  // namespace engine_test
