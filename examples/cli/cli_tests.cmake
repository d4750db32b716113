# SPDX-License-Identifier: Apache-2.0
#
# The program on checkpoints that the tests make themselves, and the ways that docs/python.md and docs/models.md show; what
# needs torch or torchvision is skipped, visibly, where python3 has none.

find_package(Python3 COMPONENTS Interpreter QUIET)
if(NOT Python3_FOUND)
  message(STATUS "bitpq: python3 not found, so the program bitpq is not tested")
  return()
endif()
set(python Python3::Interpreter -B)
set(page "${PROJECT_SOURCE_DIR}/docs/python.md")
add_test(NAME example.cli COMMAND ${python} "${CMAKE_CURRENT_SOURCE_DIR}/test_cli.py" $<TARGET_FILE:bitpq_cli>
                                  "${PROJECT_SOURCE_DIR}/tests/golden/decode_by_hand.py")
add_test(NAME example.cli.python COMMAND ${python} "${CMAKE_CURRENT_SOURCE_DIR}/test_python.py" files "${page}")
add_test(NAME example.cli.torch COMMAND ${python} "${CMAKE_CURRENT_SOURCE_DIR}/test_python.py" torch "${page}"
                                        $<TARGET_FILE:bitpq_cli>)
add_test(NAME example.cli.models COMMAND ${python} "${CMAKE_CURRENT_SOURCE_DIR}/test_models.py" sizes
                                         $<TARGET_FILE:bitpq_cli> "${PROJECT_SOURCE_DIR}/docs/models.md")
add_test(NAME example.cli.torchvision COMMAND ${python} "${CMAKE_CURRENT_SOURCE_DIR}/test_models.py" torchvision
                                              $<TARGET_FILE:bitpq_cli>)
set_tests_properties(example.cli.torch example.cli.torchvision PROPERTIES SKIP_RETURN_CODE 77)
set_tests_properties(example.cli example.cli.python example.cli.torch example.cli.models example.cli.torchvision
                     PROPERTIES LABELS example TIMEOUT 300)
