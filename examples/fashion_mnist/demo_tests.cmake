# SPDX-License-Identifier: Apache-2.0
#
# The demo on few images, what it wrote, and what it says to bad options. Where the data package is not installed the
# tests that need it are skipped, visibly.

find_package(Python3 COMPONENTS Interpreter QUIET)
set(out "${CMAKE_CURRENT_BINARY_DIR}/demo_test")
add_test(NAME example.fashion_mnist
         COMMAND fashion_mnist_demo --out "${out}" --calibration 256 --heldout 64 --images 1000 --finetune-steps 3)
set_tests_properties(example.fashion_mnist PROPERTIES FIXTURES_SETUP demo_report)
set(tests example.fashion_mnist)
if(Python3_FOUND)
  add_test(NAME example.fashion_mnist.report
           COMMAND Python3::Interpreter "${CMAKE_CURRENT_SOURCE_DIR}/check_report.py" "${out}")
  set_tests_properties(example.fashion_mnist.report PROPERTIES FIXTURES_REQUIRED demo_report)
  list(APPEND tests example.fashion_mnist.report)
endif()
if(NOT EXISTS /usr/share/datasets/fashion-mnist)
  set_tests_properties(${tests} PROPERTIES DISABLED ON)
  message(STATUS "bitpq: dataset-fashion-mnist is not installed, so the demo is not tested")
endif()

# One row per refusal: option, value, words of the error.
function(bitpq_demo_refuses name words)
  add_test(NAME example.fashion_mnist.${name} COMMAND fashion_mnist_demo ${ARGN} --out "${out}_refused")
  set_tests_properties(example.fashion_mnist.${name} PROPERTIES PASS_REGULAR_EXPRESSION "${words}")
endfunction()
bitpq_demo_refuses(unknown_option "unknown option --no-such-option" --no-such-option 1)
bitpq_demo_refuses(bad_number "--batch 0 is not a whole number of at least 1" --batch 0)
bitpq_demo_refuses(no_data "/nowhere/train-images-idx3-ubyte.gz: cannot be opened" --data /nowhere)

get_property(all DIRECTORY PROPERTY TESTS)
set_tests_properties(${all} PROPERTIES LABELS example TIMEOUT 300)
