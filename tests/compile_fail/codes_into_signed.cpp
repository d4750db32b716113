// SPDX-License-Identifier: Apache-2.0
// Codes have no sign; a code of 8 bits would not survive a signed char.
// expect: unpack

#include <bitpq/codec/packed_codes.hpp>

#ifdef BITPQ_COMPILE_FAIL_FIXED
using code = std::uint8_t;
#else
using code = std::int8_t;
#endif

void use(const bitpq::packed_codes& codes, std::span<code> out) { codes.unpack(0, out); }
