// SPDX-License-Identifier: Apache-2.0
// The block size of a static quantizer is positive: zero blocks would cut nothing.
// expect: a static block size is positive

#include <bitpq/quantize/product_quantizer.hpp>

#ifdef BITPQ_COMPILE_FAIL_FIXED
using quantizer = bitpq::product_quantizer<float, 4>;
#else
using quantizer = bitpq::product_quantizer<float, 0>;
#endif

quantizer make() { return quantizer(bitpq::pq_params{}); }
