// SPDX-License-Identifier: Apache-2.0
// Weights are float or double; int8 is a way to store codewords, not a type to compute in.
// expect: scalar

#include <bitpq/codec/codebook.hpp>

#ifdef BITPQ_COMPILE_FAIL_FIXED
using weight = float;
#else
using weight = int;
#endif

std::size_t use() { return bitpq::codebook<weight>().count(); }
