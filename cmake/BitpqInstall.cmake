# SPDX-License-Identifier: Apache-2.0
#
# Install rules: headers, one export file per target, the package file and its version file. Nothing here depends on
# the architecture, so the package lies under share/.

include_guard()
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(bitpq_package_dir "${CMAKE_INSTALL_DATADIR}/cmake/bitpq")

# bitpq_install_target(<target> <export file's stem>)
function(bitpq_install_target target stem)
  install(
    TARGETS ${target}
    EXPORT ${stem}
    FILE_SET HEADERS DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
  install(
    EXPORT ${stem}
    NAMESPACE bitpq::
    FILE ${stem}.cmake
    DESTINATION "${bitpq_package_dir}")
endfunction()

bitpq_install_target(bitpq bitpqTargets)
get_property(bitpq_parts GLOBAL PROPERTY BITPQ_PARTS)
foreach(part IN LISTS bitpq_parts)
  bitpq_install_target(bitpq_${part} bitpq-${part}Targets)
endforeach()

configure_package_config_file(
  "${PROJECT_SOURCE_DIR}/cmake/bitpqConfig.cmake.in" "${PROJECT_BINARY_DIR}/bitpqConfig.cmake"
  INSTALL_DESTINATION "${bitpq_package_dir}"
  NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(
  "${PROJECT_BINARY_DIR}/bitpqConfigVersion.cmake"
  VERSION ${PROJECT_VERSION}
  COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)

install(
  FILES "${PROJECT_BINARY_DIR}/bitpqConfig.cmake" "${PROJECT_BINARY_DIR}/bitpqConfigVersion.cmake"
        "${PROJECT_SOURCE_DIR}/cmake/BitpqXsimd.cmake"
  DESTINATION "${bitpq_package_dir}")

# The dispatch helper and the templates it fills in, side by side as in the source tree.
file(GLOB bitpq_dispatch_files CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/cmake/BitpqDispatch*.cmake"
     "${PROJECT_SOURCE_DIR}/cmake/*.cpp.in")
install(FILES ${bitpq_dispatch_files} DESTINATION "${bitpq_package_dir}")
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DATADIR}/licenses/bitpq")
