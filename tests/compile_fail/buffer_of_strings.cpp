// SPDX-License-Identifier: Apache-2.0
// Buffers are copied as bytes, so what they hold must bear that.
// expect: is_trivially_copyable

#include <bitpq/core/aligned_buffer.hpp>

#include <string>

#ifdef BITPQ_COMPILE_FAIL_FIXED
using element = char;
#else
using element = std::string;
#endif

std::size_t use() { return bitpq::aligned_buffer<element>(3).size(); }
