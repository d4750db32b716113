# SPDX-License-Identifier: Apache-2.0
#
# cmake -DCOMPILER= -DPROGRAM= -DINCLUDES= -DFLAGS= -P must_not_compile.cmake
# Succeeds when PROGRAM is refused with every text of its `// expect:` lines and accepted with its mistake corrected.

cmake_minimum_required(VERSION 3.24)

file(STRINGS "${PROGRAM}" expectations REGEX "^// expect: ")
if(NOT expectations)
  message(FATAL_ERROR "${PROGRAM} has no '// expect: ' line")
endif()

list(TRANSFORM INCLUDES PREPEND "-I")
set(ENV{LC_ALL} C) # the compilers' quotes in ASCII

# Compiles for real: -fsyntax-only may leave templates uninstantiated.
function(compile out_status out_text)
  execute_process(
    COMMAND ${COMPILER} ${FLAGS} -std=c++20 -O0 ${INCLUDES} ${ARGN} -c "${PROGRAM}" -o /dev/null
    RESULT_VARIABLE status
    OUTPUT_VARIABLE text
    ERROR_VARIABLE text)
  set(${out_status} "${status}" PARENT_SCOPE)
  set(${out_text} "${text}" PARENT_SCOPE)
endfunction()

compile(status text -DBITPQ_COMPILE_FAIL_FIXED)
if(NOT status EQUAL 0)
  message(FATAL_ERROR "does not compile even when corrected:\n${text}")
endif()

compile(status text)
if(status EQUAL 0)
  message(FATAL_ERROR "compiles, but must not")
endif()
foreach(expectation IN LISTS expectations)
  string(REGEX REPLACE "^// expect: " "" expectation "${expectation}")
  string(FIND "${text}" "${expectation}" at)
  if(at EQUAL -1)
    message(FATAL_ERROR "is refused, but not with '${expectation}':\n${text}")
  endif()
endforeach()
