// SPDX-License-Identifier: Apache-2.0
#pragma once

// The only header that defines macros. Nothing here changes the layout of a type: a program may mix translation
// units compiled with different flags.

#if defined(__GNUC__) || defined(__clang__)
#define BITPQ_FORCE_INLINE inline __attribute__((always_inline))
#define BITPQ_NO_INLINE __attribute__((noinline))
#define BITPQ_RESTRICT __restrict__
#elif defined(_MSC_VER)
#define BITPQ_FORCE_INLINE __forceinline
#define BITPQ_NO_INLINE __declspec(noinline)
#define BITPQ_RESTRICT __restrict
#else
#define BITPQ_FORCE_INLINE inline
#define BITPQ_NO_INLINE
#define BITPQ_RESTRICT
#endif

// With -fno-exceptions every error ends in one handler (see set_fatal_error_handler in core/error.hpp).
#if defined(__cpp_exceptions) || defined(__EXCEPTIONS) || defined(_CPPUNWIND)
#define BITPQ_HAS_EXCEPTIONS 1
#else
#define BITPQ_HAS_EXCEPTIONS 0
#endif

// Asks for complete unrolling of the next loop, whose trip count is a small compile-time constant.
#if defined(__clang__)
#define BITPQ_UNROLL _Pragma("unroll")
#elif defined(__GNUC__)
#define BITPQ_UNROLL _Pragma("GCC unroll 32")
#else
#define BITPQ_UNROLL
#endif
