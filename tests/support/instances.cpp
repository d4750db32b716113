// SPDX-License-Identifier: Apache-2.0

#include "support/instances.hpp"

namespace bitpq {
inline namespace v1 {

BITPQ_TEST_INSTANCES(, float)
BITPQ_TEST_INSTANCES(, double)

}  // namespace v1
}  // namespace bitpq
