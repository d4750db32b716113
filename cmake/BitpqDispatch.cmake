# SPDX-License-Identifier: Apache-2.0
#
# bitpq_add_dispatch(<target> [ISAS <isa>...])
#
# Gives a target bitpq's kernels for several instruction sets, of which it takes the best at run time. One small
# translation unit per instruction set is generated and built in the project that calls this; each set of them is built
# once and shared. ISAS: scalar sse2 avx2 avx512 avx512vnni neon64; default: all that the target processor may have.
# The scalar kernels are always there.
#
# The objects are built with -O2 whatever the build type: without inlining, helpers shared between translation units
# would be emitted with wide instructions and could be the copy that the linker keeps for the baseline. The test of the
# exported symbols (bitpq_check_isa_object) guards the same. BITPQ_KERNEL_OPTIONS, a list, is added to their options.

include_guard(GLOBAL)

function(bitpq_add_dispatch target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "ISAS")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "bitpq_add_dispatch: unknown arguments ${arg_UNPARSED_ARGUMENTS}")
  endif()
  if(NOT TARGET ${target})
    message(FATAL_ERROR "bitpq_add_dispatch: ${target} is not a target")
  endif()
  set(isas ${arg_ISAS})
  if(NOT isas)
    if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
      set(isas sse2 avx2 avx512 avx512vnni)
    elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64|ARM64)$")
      set(isas neon64)
    endif()
  endif()
  list(APPEND isas scalar)
  list(REMOVE_DUPLICATES isas)
  list(SORT isas)
  list(JOIN isas "_" suffix)
  set(library bitpq_kernels_${suffix})
  if(NOT TARGET ${library})
    _bitpq_add_kernel_library(${library} "${isas}")
  endif()
  target_link_libraries(${target} PRIVATE ${library})
endfunction()

# Everything is local to the function: where bitpq is a subproject, its callers do not see this file's variables.
function(_bitpq_add_kernel_library library isas)
  set(flags_scalar "")
  set(flags_sse2 -msse2)
  set(flags_avx2 -mavx2 -mfma)
  set(flags_avx512 -mavx2 -mfma -mavx512f -mavx512cd -mavx512bw -mavx512dq -mavx512vl)
  set(flags_avx512vnni ${flags_avx512} -mavx512vbmi -mavx512vnni)
  set(flags_neon64 "")

  add_library(${library} STATIC)
  target_link_libraries(${library} PUBLIC bitpq::bitpq)
  target_compile_definitions(${library} INTERFACE BITPQ_DISPATCH)
  foreach(isa IN LISTS isas)
    if(NOT DEFINED flags_${isa})
      message(FATAL_ERROR "bitpq_add_dispatch: ISAS names ${isa}; known: scalar sse2 avx2 avx512 avx512vnni neon64")
    endif()
    set(source "${CMAKE_CURRENT_BINARY_DIR}/${library}/kernels_${isa}.cpp")
    configure_file("${CMAKE_CURRENT_FUNCTION_LIST_DIR}/kernels.cpp.in" "${source}" @ONLY)
    # Warnings in the compilers' own intrinsics (g++ 12: _mm512_undefined_ps) are not the host's concern.
    set_source_files_properties("${source}" PROPERTIES COMPILE_OPTIONS "-O2;-w;${flags_${isa}};${BITPQ_KERNEL_OPTIONS}")
    target_sources(${library} PRIVATE "${source}")
    string(TOUPPER "${isa}" upper)
    target_compile_definitions(${library} INTERFACE BITPQ_DISPATCH_${upper})
  endforeach()
endfunction()
