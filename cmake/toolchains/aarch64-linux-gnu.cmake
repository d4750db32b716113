# SPDX-License-Identifier: Apache-2.0
#
# Cross-compiles for 64-bit ARM with Debian's g++-aarch64-linux-gnu and runs what it built under qemu-user.
# bitpq's dependencies are header-only and the cross compiler searches /usr/include last, so the host's packages serve.

set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_CROSSCOMPILING_EMULATOR "qemu-aarch64;-L;/usr/aarch64-linux-gnu")

set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)

# xsimd is header-only, but Debian keeps its package file in the host architecture's library folder, where a cross
# build does not look.
if(NOT xsimd_DIR)
  file(GLOB bitpq_host_xsimd "/usr/lib/*-linux-gnu*/cmake/xsimd")
  if(bitpq_host_xsimd)
    list(GET bitpq_host_xsimd 0 bitpq_host_xsimd)
    set(xsimd_DIR "${bitpq_host_xsimd}" CACHE PATH "xsimd's package folder")
  endif()
endif()
