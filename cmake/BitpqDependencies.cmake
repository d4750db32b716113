# SPDX-License-Identifier: Apache-2.0
#
# The libraries bitpq stands on: the system's package first, else fetched. A fetched one is taken for its headers
# alone: SOURCE_SUBDIR names a folder that does not exist, so the dependency's own CMake never runs and neither its
# targets nor its install rules leak into the user's project.
#
# Targets found here are made global: a parent project that links bitpq::bitpq sees them too.

include_guard()
include(FetchContent)
include(BitpqXsimd)

# bitpq_header_dependency(<package> <target> MINIMUM <version> INCLUDE <subfolder> <FetchContent source arguments...>)
# The minimum is checked here, not by find_package: a package of the next major version is welcome too.
function(bitpq_header_dependency package target)
  if(TARGET ${target})
    return()
  endif()
  cmake_parse_arguments(PARSE_ARGV 2 arg "" "MINIMUM;INCLUDE" "")
  set(CMAKE_FIND_PACKAGE_TARGETS_GLOBAL ON)
  FetchContent_Declare(
    ${package} ${arg_UNPARSED_ARGUMENTS}
    SOURCE_SUBDIR "bitpq-takes-only-the-headers"
    FIND_PACKAGE_ARGS)
  FetchContent_MakeAvailable(${package})
  if(${package}_VERSION AND ${package}_VERSION VERSION_LESS arg_MINIMUM)
    message(FATAL_ERROR "bitpq: found ${package} ${${package}_VERSION}, but ${arg_MINIMUM} is needed")
  endif()
  if(${package}_FOUND)
    message(STATUS "bitpq: ${package} ${${package}_VERSION} found")
    return()
  endif()
  string(TOLOWER "${package}" lower)
  add_library(${target} INTERFACE IMPORTED GLOBAL)
  target_include_directories(${target} INTERFACE "${${lower}_SOURCE_DIR}/${arg_INCLUDE}")
  message(STATUS "bitpq: ${package} fetched, headers only")
endfunction()

bitpq_header_dependency(
  Eigen3 Eigen3::Eigen
  MINIMUM 3.4.0
  INCLUDE "."
  GIT_REPOSITORY https://gitlab.com/libeigen/eigen.git
  GIT_TAG 3.4.0
  GIT_SHALLOW ON)

if(NOT TARGET xsimd AND NOT TARGET xsimd::xsimd)
  bitpq_header_dependency(
    xsimd xsimd
    MINIMUM 8.1.0
    INCLUDE "include"
    GIT_REPOSITORY https://github.com/xtensor-stack/xsimd.git
    GIT_TAG 8.1.0
    GIT_SHALLOW ON)
endif()
bitpq_settle_xsimd()

if(BITPQ_WITH_IO)
  bitpq_header_dependency(
    nlohmann_json nlohmann_json::nlohmann_json
    MINIMUM 3.9.0
    INCLUDE "single_include"
    GIT_REPOSITORY https://github.com/nlohmann/json.git
    GIT_TAG v3.11.2
    GIT_SHALLOW ON)
endif()

# bitpq_binary_dependency(<option> <target> <find_package arguments...>): a package with a library or compiler flags
# is never fetched. Without it the part is left out with a word, or is an error where the option says REQUIRED.
function(bitpq_binary_dependency option target)
  if(TARGET ${target} OR NOT BITPQ_WITH_${option})
    return()
  endif()
  set(CMAKE_FIND_PACKAGE_TARGETS_GLOBAL ON)
  find_package(${ARGN} QUIET)
  if(TARGET ${target})
    return()
  endif()
  if(BITPQ_WITH_${option} STREQUAL "REQUIRED")
    message(FATAL_ERROR "bitpq: BITPQ_WITH_${option} is REQUIRED, but ${target} was not found")
  endif()
  string(TOLOWER "${option}" part)
  message(STATUS "bitpq: ${target} not found, so bitpq::${part} is left out")
endfunction()

bitpq_binary_dependency(OPENMP OpenMP::OpenMP_CXX OpenMP COMPONENTS CXX)
bitpq_binary_dependency(TBB TBB::tbb TBB)
bitpq_binary_dependency(TORCH torch Torch)
if(BITPQ_WITH_TORCH AND CMAKE_CXX_COMPILER_ID MATCHES "Clang" AND TARGET torch)
  message(STATUS "bitpq: LibTorch 1 does not compile as C++20 with Clang; before LibTorch 2 use bitpq::torch with GCC")
endif()
