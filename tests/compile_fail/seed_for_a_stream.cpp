// SPDX-License-Identifier: Apache-2.0
// A number is no random stream: where one is asked for, its seed and stream are said.
// expect: random_stream

#include <bitpq/core/random.hpp>

double first(const bitpq::random_stream& stream) { return stream.uniform(0); }

double use() {
#ifdef BITPQ_COMPILE_FAIL_FIXED
  return first(bitpq::random_stream(42));
#else
  return first(42);
#endif
}
