# SPDX-License-Identifier: Apache-2.0
#
# The peers, each found on its own: <peer>*.cpp are built where its peer is there. The real OpenBLAS is named by its path,
# for libblas may be any BLAS; faiss' static library, which calls a BLAS, is linked with the same one.

# bench_peer(<name> <header> <library> [needed target...]): adds bench_peer_<name> to the libraries, or takes <name>*.cpp
# off the sources.
macro(bench_peer name header library)
  find_path(BENCH_${name}_INCLUDE ${header} PATH_SUFFIXES openblas-pthread ${CMAKE_LIBRARY_ARCHITECTURE}/openblas-pthread)
  find_library(BENCH_${name}_LIBRARY ${library} PATH_SUFFIXES openblas-pthread)
  mark_as_advanced(BENCH_${name}_INCLUDE BENCH_${name}_LIBRARY)
  set(found BENCH_${name}_INCLUDE AND BENCH_${name}_LIBRARY)
  foreach(needed ${ARGN})
    list(APPEND found AND TARGET ${needed})
  endforeach()
  if(${found})
    add_library(bench_peer_${name} UNKNOWN IMPORTED)
    set_target_properties(bench_peer_${name} PROPERTIES IMPORTED_LOCATION "${BENCH_${name}_LIBRARY}")
    target_include_directories(bench_peer_${name} INTERFACE "${BENCH_${name}_INCLUDE}")
    target_link_libraries(bench_peer_${name} INTERFACE ${ARGN})
    list(APPEND libraries bench_peer_${name})
  else()
    message(STATUS "bitpq: ${name}, or what it needs, not found, so its rows are left out of bench_peers")
    list(FILTER sources EXCLUDE REGEX "/${name}[^/]*$")
  endif()
endmacro()

# OpenMP is how oneDNN and faiss are held to one thread.
find_package(OpenMP QUIET COMPONENTS CXX)
bench_peer(openblas openblas_config.h openblas)
bench_peer(onednn oneapi/dnnl/dnnl.hpp dnnl OpenMP::OpenMP_CXX)
bench_peer(faiss faiss/IndexPQ.h faiss OpenMP::OpenMP_CXX bench_peer_openblas)

# Eigen has the vectors that its compiler's flags allow; it gets all of this machine's. bitpq bears no such flags.
set_source_files_properties("${entry}/eigen_product.cpp" PROPERTIES COMPILE_OPTIONS "-march=native;-w")
