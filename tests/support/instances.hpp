// SPDX-License-Identifier: Apache-2.0
#pragma once

// The library's largest templates, which most test files use. Where a header is precompiled for all of them this one
// is part of it, and instances.cpp instantiates them once for all: sanitizers make that the larger part of a build.

#include <bitpq/quantize/operating_points.hpp>
#include <bitpq/quantize/permutation.hpp>
#include <bitpq/quantize/presets.hpp>
#include <bitpq/quantize/product_quantizer.hpp>

#define BITPQ_TEST_INSTANCES(EXTERN, T)                                                                        \
  EXTERN template compression<T> compress<T>(const layer_geometry&, matrix_view<const T>, const importance*,   \
                                             pq_params, executor_ref);                                         \
  EXTERN template class product_quantizer<T>;                                                                  \
  EXTERN template kmeans_result<T> kmeans<T>(matrix_view<const T>, std::span<const T>, const kmeans_params&,   \
                                             executor_ref, const whitening&);                                  \
  EXTERN template void gram_accumulator::add<T>(matrix_view<const T>, executor_ref);                           \
  EXTERN template void gram_accumulator::add<T>(nchw_view<const T>, executor_ref);                             \
  EXTERN template double output_energy<T>(matrix_view<const T>, const importance&, executor_ref);              \
  EXTERN template channel_order best_order<T>(const layer_geometry&, matrix_view<const T>, permutation_params, \
                                              const importance*);                                              \
  EXTERN template std::vector<layer_option> measure_options<T>(const layer_geometry&, matrix_view<const T>,    \
                                                               const importance*, std::span<const pq_params>,  \
                                                               const layer_cost&, executor_ref);

namespace bitpq {
inline namespace v1 {

BITPQ_TEST_INSTANCES(extern, float)
BITPQ_TEST_INSTANCES(extern, double)

}  // namespace v1
}  // namespace bitpq
