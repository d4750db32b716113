# SPDX-License-Identifier: Apache-2.0
#
# The programs on networks and images that the tests make themselves; the import of published models, which is skipped,
# visibly, where python3 has no torch; and, where the evaluation data is there, the logits of the published models.

find_package(Python3 COMPONENTS Interpreter QUIET)
if(NOT Python3_FOUND)
  message(STATUS "bitpq: python3 not found, so classify is not tested")
  return()
endif()
set(python Python3::Interpreter -B)
set(import "${PROJECT_SOURCE_DIR}/examples/import")
set(dense "")
if(TARGET imagenet_classify_dense)
  set(dense $<TARGET_FILE:imagenet_classify_dense>)
endif()
add_test(NAME example.imagenet COMMAND ${python} "${CMAKE_CURRENT_SOURCE_DIR}/test_classify.py"
                                       $<TARGET_FILE:imagenet_classify> ${dense})
add_test(NAME example.import COMMAND ${python} "${import}/test_import.py"
                                     "${PROJECT_SOURCE_DIR}/tests/golden/decode_by_hand.py")
add_test(NAME example.import.published
         COMMAND ${python} "${CMAKE_CURRENT_SOURCE_DIR}/test_published.py" "${BITPQ_EVALUATION_DATA}"
                 $<TARGET_FILE:imagenet_logits> "${CMAKE_CURRENT_BINARY_DIR}/published")
set_tests_properties(example.import example.import.published PROPERTIES SKIP_RETURN_CODE 77)
set_tests_properties(example.imagenet example.import example.import.published PROPERTIES LABELS example TIMEOUT 300)

add_executable(imagenet_logits logits.cpp)
target_link_libraries(imagenet_logits PRIVATE bitpq_engine bitpq_warnings)
bitpq_add_dispatch(imagenet_logits)
