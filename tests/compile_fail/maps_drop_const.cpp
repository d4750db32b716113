// SPDX-License-Identifier: Apache-2.0
// As with matrices: a view of const feature maps never becomes one through which they could be written.
// expect: nchw_view

#include <bitpq/core/nchw_view.hpp>

#ifdef BITPQ_COMPILE_FAIL_FIXED
using element = const float;
#else
using element = float;
#endif

float first(bitpq::nchw_view<element> view) { return view(0, 0, 0, 0); }

float use(bitpq::nchw_view<const float> view) { return first(view); }
