# SPDX-License-Identifier: Apache-2.0
#
# How tests are declared. One process per executable: the suites are large and a process per test case would cost
# more than the cases themselves under sanitizers and emulation.

include_guard()

# Catch2 3 as well as Catch2 2: tests/support/catch.hpp chooses the header, tests/support/main.cpp brings main().
function(bitpq_find_catch2)
  bitpq_header_dependency(
    Catch2 Catch2::Catch2
    MINIMUM 2.13.0
    INCLUDE "single_include"
    GIT_REPOSITORY https://github.com/catchorg/Catch2.git
    GIT_TAG v2.13.10
    GIT_SHALLOW ON)
endfunction()

# bitpq_add_test_executable(<test name> <suite> SOURCES ... LIBRARIES ...)
# The kernels come from the one library that bitpq_add_dispatch builds, so each test can run every instruction set the
# machine has and no test file compiles them again. Header-only use is what the readme, odr and hostile tests show.
function(bitpq_add_test_executable name suite)
  cmake_parse_arguments(PARSE_ARGV 2 arg "" "" "SOURCES;LIBRARIES")
  string(REPLACE "." "_" target "bitpq_test_${name}")
  add_executable(${target} ${arg_SOURCES})
  target_link_libraries(${target} PRIVATE bitpq_test_support bitpq_warnings ${arg_LIBRARIES})
  if(COMMAND bitpq_add_dispatch)
    bitpq_add_dispatch(${target} ISAS ${BITPQ_TEST_ISAS})
  endif()
  # Optimising them takes half of a build; only these suites run long enough, or look close enough, to want more.
  if(NOT MSVC AND NOT name MATCHES "^(property|conformance|unit\\.(kernel|gemm))$")
    target_compile_options(${target} PRIVATE -O1)
  endif()
  add_test(NAME ${name} COMMAND ${target})
  set_tests_properties(${name} PROPERTIES LABELS ${suite} TIMEOUT 900)
  # ctest starts the costliest first: a long one that starts last has the machine to itself.
  if(name MATCHES "^(property|conformance)$")
    set_tests_properties(${name} PROPERTIES COST 100)
  endif()
endfunction()

# bitpq_add_folder_test(<test name> <suite> <folder>): every .cpp under the folder in one executable. Files named
# io_*.cpp need bitpq::io and wait until it exists.
function(bitpq_add_folder_test name suite folder)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${folder}/*.cpp")
  set(libraries "")
  if(TARGET bitpq::io)
    set(libraries bitpq::io)
  else()
    list(FILTER sources EXCLUDE REGEX "/io_[^/]*\\.cpp$")
  endif()
  if(sources)
    bitpq_add_test_executable("${name}" "${suite}" SOURCES ${sources} LIBRARIES ${libraries})
  endif()
endfunction()

# unit/interop/<leaf>*.cpp: one executable per leaf whose target exists.
function(bitpq_add_interop_tests folder)
  get_property(parts GLOBAL PROPERTY BITPQ_PARTS)
  foreach(leaf IN LISTS parts)
    file(GLOB sources CONFIGURE_DEPENDS "${folder}/${leaf}*.cpp")
    if(sources)
      bitpq_add_test_executable("unit.interop.${leaf}" unit SOURCES ${sources} LIBRARIES bitpq::${leaf})
    endif()
  endforeach()
endfunction()

function(bitpq_add_unit_tests folder)
  file(GLOB entries CONFIGURE_DEPENDS LIST_DIRECTORIES true "${folder}/*")
  foreach(entry IN LISTS entries)
    get_filename_component(name "${entry}" NAME)
    if(NOT IS_DIRECTORY "${entry}" OR (name STREQUAL "io" AND NOT TARGET bitpq::io))
      continue()
    endif()
    if(name STREQUAL "interop")
      bitpq_add_interop_tests("${entry}")
    else()
      bitpq_add_folder_test("unit.${name}" unit "${entry}")
    endif()
  endforeach()
endfunction()
