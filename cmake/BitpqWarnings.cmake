# SPDX-License-Identifier: Apache-2.0
#
# bitpq_warnings: the warning flags of bitpq's own tests, benchmarks and examples. Never linked by the library's
# targets, so no user inherits a flag.

include_guard()

add_library(bitpq_warnings INTERFACE)
if(MSVC)
  target_compile_options(bitpq_warnings INTERFACE /W4)
  if(BITPQ_WARNINGS_AS_ERRORS)
    target_compile_options(bitpq_warnings INTERFACE /WX)
  endif()
else()
  target_compile_options(bitpq_warnings INTERFACE -Wall -Wextra -Wpedantic -Wconversion -Wshadow)
  # Where strings are joined, g++ 12 sees overlapping and overflowing copies inside its own std::string (GCC bugs
  # 105329 and 105651).
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    target_compile_options(bitpq_warnings INTERFACE -Wno-restrict -Wno-array-bounds -Wno-stringop-overflow)
  endif()
  if(BITPQ_WARNINGS_AS_ERRORS)
    target_compile_options(bitpq_warnings INTERFACE -Werror)
  endif()
endif()
