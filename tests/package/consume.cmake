# SPDX-License-Identifier: Apache-2.0
#
# cmake -DMODE=find_package|add_subdirectory|fetch_content ... -P consume.cmake
# Makes a project that uses bitpq in that way, from nothing, and runs its program.

cmake_minimum_required(VERSION 3.24)

function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status)
  if(NOT status EQUAL 0)
    list(JOIN ARGN " " command)
    message(FATAL_ERROR "failed (${status}): ${command}")
  endif()
endfunction()

file(REMOVE_RECURSE "${WORK}")
set(arguments "-DMODE=${MODE}" "-DBITPQ_SOURCE=${BITPQ_SOURCE}" "-DEXPECTED_VERSION=${VERSION}"
              "-DEXPECTED_PARTS=${PARTS}")

if(MODE STREQUAL "find_package")
  # Installed, then moved: nothing in the package may remember where it was made.
  run(${CMAKE_COMMAND} --install "${BITPQ_BUILD}" --prefix "${WORK}/staging")
  file(RENAME "${WORK}/staging" "${WORK}/prefix")
  list(APPEND arguments "-DCMAKE_PREFIX_PATH=${WORK}/prefix")
endif()

run(${CMAKE_COMMAND} -S "${CMAKE_CURRENT_LIST_DIR}/consumer" -B "${WORK}/build" -G "${GENERATOR}"
    "-DCMAKE_CXX_COMPILER=${COMPILER}" -DCMAKE_BUILD_TYPE=None ${arguments})
run(${CMAKE_COMMAND} --build "${WORK}/build" --parallel 2)
run("${WORK}/build/consumer")
if(EXISTS "${WORK}/build/dispatched")
  run("${WORK}/build/dispatched")
endif()
